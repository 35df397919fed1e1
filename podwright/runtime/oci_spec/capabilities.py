"""The capability sets of a container's first process."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.errors import InvalidArgument
from podwright.linux import capabilities as kernel
from podwright.runtime.model.container import ContainerSecurity

# Docker's default, which images rely on. containerd grants the same fourteen.
DEFAULT = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    )
)  # fmt: skip
ALL = "CAP_ALL"


def granted(security: ContainerSecurity, held: frozenset[str]) -> list[str]:
    """The capabilities to grant, in the kernel's order. `held` are the daemon's own, because it cannot grant others.

    ALL applies before single names (add, then drop): drop ALL and add X grants only X. Raises InvalidArgument for an
    unknown name.
    """
    add, drop = _normalised(security.add_capabilities), _normalised(security.drop_capabilities)
    if security.privileged:
        wanted = set(held)
    else:
        wanted = set(held) if ALL in add else set(DEFAULT)
        if ALL in drop:
            wanted = set()
        wanted = (wanted | (add - {ALL})) - (drop - {ALL})
    return [name for name in kernel.NAMES if name in wanted & held]


def process_sets(security: ContainerSecurity, held: frozenset[str]) -> dict[str, list[str]]:
    """The OCI `process.capabilities`.

    Inheritable stays empty: otherwise files with inheritable capabilities would get more than the pod requested
    (CVE-2022-24769). Requested ambient capabilities are also inheritable, as the kernel requires.
    """
    names = granted(security, held)
    ambient = [name for name in names if name in _normalised(security.add_ambient_capabilities)]
    return {"bounding": names, "effective": names, "permitted": names, "inheritable": ambient, "ambient": ambient}


def _normalised(names: Iterable[str]) -> set[str]:
    """The kernel's spelling of names in any case, with or without CAP_."""
    result = {name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}" for name in names}
    unknown = sorted(result - {*kernel.NAMES, ALL})
    if unknown:
        raise InvalidArgument(f"unknown capability {unknown[0]}")
    return result
