"""Ids as types of their own, so that a sandbox's cannot be handed where a container's is meant."""

from __future__ import annotations

import secrets
from typing import NewType

SandboxId = NewType("SandboxId", str)
ContainerId = NewType("ContainerId", str)
ImageId = NewType("ImageId", str)  # sha256:<hex digest of the config blob>


def new_id() -> str:
    """64 lower-case hex digits, as every CRI runtime has them."""
    return secrets.token_hex(32)
