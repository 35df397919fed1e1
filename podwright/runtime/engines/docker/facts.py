"""What the Engine says of itself: versions, drivers, runtimes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.engines.docker.api.versions import Version


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Asked once at start, and again whenever the Engine comes back."""

    engine: str  # its version
    api: Version  # that is spoken
    root: str  # its data directory
    storage: str  # its storage driver
    systemd: bool  # whether systemd makes its cgroups
    cgroup_v2: bool
    runtimes: tuple[str, ...]
    default_runtime: str
    security: frozenset[str]  # apparmor, seccomp, selinux, userns, rootless
    live_restore: bool


# Engines before 23 list it on every host, and refuse it where cgroup v2 is alone.
V1_SHIM = "io.containerd.runtime.v1.linux"


def facts_of(version: dict[str, Any], info: dict[str, Any], api: Version) -> EngineFacts:
    """The facts in the documents of /version and /info."""
    options = [
        dict(part.partition("=")[::2] for part in line.split(",")) for line in info.get("SecurityOptions") or ()
    ]
    cgroup_v2 = info.get("CgroupVersion") == "2"
    runtimes = set(info.get("Runtimes") or ()) - ({V1_SHIM} if cgroup_v2 else set())
    return EngineFacts(
        engine=str(version.get("Version", "")),
        api=api,
        root=str(info.get("DockerRootDir") or ""),
        storage=str(info.get("Driver") or ""),
        systemd=info.get("CgroupDriver") == "systemd",
        cgroup_v2=cgroup_v2,
        runtimes=tuple(sorted(runtimes)),
        default_runtime=str(info.get("DefaultRuntime") or ""),
        security=frozenset(option.get("name", "") for option in options),
        live_restore=bool(info.get("LiveRestoreEnabled")),
    )
