"""The hash of a container's name and image, which decides whether it must be created again.

It is written on every container, so that an agent after a restart or an upgrade restarts nothing. It is the kubelet's
(HashContainer of Kubernetes 1.36), so that a kubelet and this agent can replace each other. `fnv32a` is also the
checksum in the kubelet's state files.
"""

from __future__ import annotations

import functools
import json

from podwright.agent.pods.containers import AnyContainer

FNV_OFFSET_32 = 0x811C9DC5
FNV_PRIME_32 = 0x01000193
BLOCK_BYTES, KEPT_BLOCKS = 256, 512  # a state file of 250 pods at most


def container_hash(container: AnyContainer) -> str:
    """The hash in hexadecimal."""
    return _hash(container.name, container.image)


@functools.lru_cache(maxsize=1024)
def _hash(name: str, image: str) -> str:
    """The hash. The kubelet hashes the JSON's bytes as Go's spew prints them: as a list of numbers."""
    text = json.dumps({"image": image, "name": name}, separators=(",", ":"))
    numbers = " ".join(map(str, text.encode()))
    return f"{fnv32a(f'([]uint8)[{numbers}]'.encode()):x}"


def fnv32a(data: bytes) -> int:
    """32-bit FNV-1a. Quick for data that is hashed again after it has grown at its end, as a state file does."""
    value = FNV_OFFSET_32
    for start in range(0, len(data), BLOCK_BYTES):
        value = _continued(value, data[start : start + BLOCK_BYTES])
    return value


@functools.lru_cache(maxsize=KEPT_BLOCKS)
def _continued(value: int, block: bytes) -> int:
    """The hash of what had the hash `value`, followed by `block`."""
    for byte in block:
        value = (value ^ byte) * FNV_PRIME_32 & 0xFFFFFFFF
    return value
