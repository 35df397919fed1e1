"""The hash that tells whether a container must be made anew: of its name and image alone.

It is written on every container, so that an agent that was restarted, or upgraded, restarts nothing.
"""

from __future__ import annotations

import json

from podwright.agent.pods.containers import AnyContainer

FNV_OFFSET_32 = 0x811C9DC5
FNV_PRIME_32 = 0x01000193


def container_hash(container: AnyContainer) -> str:
    """32-bit FNV-1a in hexadecimal, as the kubelet computes it."""
    hashed = json.dumps({"name": container.name, "image": container.image}, separators=(",", ":"))
    return f"{fnv32a(hashed.encode()):x}"


def fnv32a(data: bytes) -> int:
    """32-bit FNV-1a."""
    value = FNV_OFFSET_32
    for byte in data:
        value = (value ^ byte) * FNV_PRIME_32 & 0xFFFFFFFF
    return value
