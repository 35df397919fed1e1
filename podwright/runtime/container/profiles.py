"""What confines containers that ask for the runtime's default, found at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from podwright.runtime.container.apparmor import AppArmor


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """`seccomp` is a profile in the field's JSON form; None: the host has none."""

    seccomp: dict[str, Any] | None
    apparmor: AppArmor
