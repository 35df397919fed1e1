"""The hash that tells whether a container must be made anew: of its name and image alone.

It is written on every container, so that an agent that was restarted, or upgraded, restarts nothing. It is the
kubelet's (HashContainer of Kubernetes 1.36), so that either can take over from the other.
"""

from __future__ import annotations

import functools
import json

from podwright.agent.pods.containers import AnyContainer

FNV_OFFSET_32 = 0x811C9DC5
FNV_PRIME_32 = 0x01000193


def container_hash(container: AnyContainer) -> str:
    """In hexadecimal."""
    return _hash(container.name, container.image)


@functools.lru_cache(maxsize=1024)
def _hash(name: str, image: str) -> str:
    """The kubelet hashes what Go's spew prints of the JSON's bytes: a list of numbers."""
    text = json.dumps({"image": image, "name": name}, separators=(",", ":"))
    numbers = " ".join(map(str, text.encode()))
    return f"{fnv32a(f'([]uint8)[{numbers}]'.encode()):x}"


def fnv32a(data: bytes) -> int:
    """32-bit FNV-1a."""
    value = FNV_OFFSET_32
    for byte in data:
        value = (value ^ byte) * FNV_PRIME_32 & 0xFFFFFFFF
    return value
