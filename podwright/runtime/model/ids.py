"""Ids as separate types, so that a sandbox's id cannot be passed for a container's."""

from __future__ import annotations

import secrets
from typing import NewType

SandboxId = NewType("SandboxId", str)
ContainerId = NewType("ContainerId", str)
ImageId = NewType("ImageId", str)  # sha256:<hex digest of the config blob>


def new_id() -> str:
    """64 lower-case hex digits, as in every CRI runtime."""
    return secrets.token_hex(32)
