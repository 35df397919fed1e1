"""Names of pods' and containers' cgroups, for the cgroupfs and the systemd driver. Pure.

A pod's parent is a directory, or with systemd a slice. Its containers are directories or scopes in it.
"""

from __future__ import annotations

from podwright.errors import InvalidArgument
from podwright.linux.slices import SLICE, nested

PREFIX = "podwright"


def pod_parent(requested: str, configured: str, sandbox_id: str, *, systemd: bool) -> str:
    """The parent cgroup of a pod: the request's, otherwise one of its own below `configured`.

    Raises InvalidArgument for a parent that systemd cannot create.
    """
    if requested:
        if systemd and not _last(requested).endswith(SLICE):
            raise InvalidArgument(
                f"cgroup_parent {requested!r} is not a slice, as the systemd cgroup driver requires",
                hint="use a .slice, or set containers.cgroup_driver to cgroupfs",
            )
        return requested
    if not systemd:
        return f"{configured}/{sandbox_id}"
    return nested(f"{slice_name(configured).removesuffix(SLICE)}-pod{sandbox_id}{SLICE}")


def slice_name(parent: str) -> str:
    """The slice for a configured parent: podwright.slice for /podwright."""
    name = _last(parent)
    return name if name.endswith(SLICE) else f"{name or PREFIX}{SLICE}"


def cgroups_path(parent: str, container_id: str, *, systemd: bool) -> str:
    """The OCI `cgroupsPath`: a path, or systemd's `slice:prefix:name`."""
    if not systemd:
        return f"/{parent.strip('/')}/{container_id}"
    return f"{slice_name(parent)}:{PREFIX}:{container_id}"


def cgroup_directory(parent: str, container_id: str, *, systemd: bool) -> str:
    """The container's cgroup below the hierarchies' roots."""
    if not systemd:
        return cgroups_path(parent, container_id, systemd=False)
    return f"{nested(slice_name(parent))}/{PREFIX}-{container_id}.scope"


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
