"""Whether the kernel confines processes by AppArmor."""

from __future__ import annotations

ENABLED = "/sys/module/apparmor/parameters/enabled"


def is_enabled(root: str = "") -> bool:
    """Whether AppArmor is in the kernel and switched on."""
    try:
        with open(f"{root}{ENABLED}", encoding="ascii", errors="replace") as file:
            return file.read(1) == "Y"
    except OSError:
        return False
