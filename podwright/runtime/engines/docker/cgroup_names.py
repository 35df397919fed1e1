"""The cgroups that the Engine makes for containers, and how it takes a pod's parent. Pure."""

from __future__ import annotations

from podwright.linux.slices import nested
from podwright.runtime.oci_spec.cgroups import slice_name


def engine_parent(parent: str, *, systemd: bool) -> str:
    """A pod's `parent` as the Engine takes it: with systemd the name of the slice alone, and no path.

    CRI's clients send the path of the cgroup, in which the slices are nested.
    """
    return slice_name(parent) if systemd else parent


def container_cgroup(parent: str, engine_id: str, *, systemd: bool) -> str:
    """The container's cgroup below the hierarchies' roots, in a pod's `parent`."""
    if systemd:
        return f"{nested(slice_name(parent))}/docker-{engine_id}.scope"
    return f"/{parent.strip('/')}/{engine_id}"
