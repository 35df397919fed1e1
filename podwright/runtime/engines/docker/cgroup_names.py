"""The cgroups that the Engine makes for containers. Pure."""

from __future__ import annotations

from podwright.linux.slices import nested
from podwright.runtime.oci_spec.cgroups import slice_name


def container_cgroup(parent: str, engine_id: str, *, systemd: bool) -> str:
    """The container's cgroup below the hierarchies' roots, in a pod's `parent`."""
    if systemd:
        return f"{nested(slice_name(parent))}/docker-{engine_id}.scope"
    return f"/{parent.strip('/')}/{engine_id}"
