"""The container's mounts: our defaults, the sandbox's files, and the request's, parents before children."""

from __future__ import annotations

import posixpath
from typing import Any

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import Mount, Propagation

OciMount = dict[str, Any]

PROPAGATION_OPTIONS = {
    Propagation.PRIVATE: "rprivate",
    Propagation.HOST_TO_CONTAINER: "rslave",
    Propagation.BIDIRECTIONAL: "rshared",
}
ALLOWED_OPTIONS = frozenset({"noexec", "nodev", "nosuid"})


class SandboxFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Host paths of what the sandbox provides to its containers. Empty if not provided."""

    hostname: str = ""
    hosts: str = ""
    resolv_conf: str = ""
    shm: str = ""
    sys: str = ""  # the host's, for pods that may not mount sysfs


def mounts(
    requested: tuple[Mount, ...], files: SandboxFiles, *, privileged: bool, readonly_root: bool
) -> list[OciMount]:
    """All mounts in mount order.

    A requested mount replaces a default one with the same path. One on /dev or /sys replaces all defaults below it.
    The host paths in `requested` are resolved, and their mapped owners and recursive read-only flags already applied.
    Raises InvalidArgument for a relative path.
    """
    wanted = [_bind(mount) for mount in requested]
    taken = {mount["destination"] for mount in wanted}
    defaults = [*_system(files.sys, privileged=privileged), *_sandbox(files, readonly_root=readonly_root)]
    kept = [mount for mount in defaults if not _overridden(mount["destination"], taken)]
    return sorted(kept + wanted, key=lambda mount: _depth(mount["destination"]))


def rootfs_propagation(requested: tuple[Mount, ...]) -> str | None:
    """The propagation of the root mount that the requested ones need. None means the runtime's default."""
    modes = {mount.propagation for mount in requested}
    if Propagation.BIDIRECTIONAL in modes:
        return "rshared"
    return "rslave" if Propagation.HOST_TO_CONTAINER in modes else None


def _bind(mount: Mount) -> OciMount:
    if not mount.container_path.startswith("/"):
        raise InvalidArgument(f"mount: container_path {mount.container_path!r} is not absolute")
    unknown = set(mount.options) - ALLOWED_OPTIONS
    if unknown:
        raise InvalidArgument(f"mount {mount.container_path}: unknown option {min(unknown)!r}")
    access = "ro" if mount.readonly else "rw"
    return {
        "destination": posixpath.normpath(mount.container_path),
        "type": "bind",
        "source": mount.host_path,
        "options": ["rbind", PROPAGATION_OPTIONS[mount.propagation], access, *mount.options],
    }


def _system(host_sys: str, *, privileged: bool) -> list[OciMount]:
    access = "rw" if privileged else "ro"
    quiet = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": quiet},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": quiet},
        # The kernel lets only the owner of a network namespace mount a sysfs of it.
        {"destination": "/sys", "type": "bind", "source": host_sys, "options": ["rbind", "rprivate", *quiet, "ro"]}
        if host_sys
        else {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*quiet, access]},
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": [*quiet, "relatime", access],
        },
    ]


def _sandbox(files: SandboxFiles, *, readonly_root: bool) -> list[OciMount]:
    access = "ro" if readonly_root else "rw"
    result: list[OciMount] = [
        {"destination": path, "type": "bind", "source": source, "options": ["rbind", "rprivate", access]}
        for path, source in (
            ("/etc/hostname", files.hostname),
            ("/etc/hosts", files.hosts),
            ("/etc/resolv.conf", files.resolv_conf),
        )
        if source
    ]
    if files.shm:
        options = ["rbind", "rprivate", "rw", "nosuid", "nodev", "noexec"]
        result.append({"destination": "/dev/shm", "type": "bind", "source": files.shm, "options": options})  # noqa: S108 # the container's
    return result


def _overridden(path: str, taken: set[str]) -> bool:
    if path in taken:
        return True
    return any(path.startswith(f"{whole}/") for whole in taken & {"/dev", "/sys"})


def _depth(path: str) -> int:
    return 0 if path == "/" else path.count("/")
