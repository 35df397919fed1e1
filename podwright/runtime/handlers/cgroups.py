"""Names of container cgroups, for the cgroupfs and the systemd driver. Pure."""

from __future__ import annotations

PREFIX = "podwright"


def cgroups_path(parent: str, container_id: str, *, systemd: bool) -> str:
    """The OCI `cgroupsPath`: a path, or systemd's `slice:prefix:name`."""
    if not systemd:
        return f"/{parent.strip('/')}/{container_id}"
    slice_name = parent.rstrip("/").rpartition("/")[2]
    return f"{slice_name if slice_name.endswith('.slice') else 'system.slice'}:{PREFIX}:{container_id}"


def cgroup_directory(parent: str, container_id: str, *, systemd: bool) -> str:
    """Where the container's cgroup is, below the hierarchies' roots."""
    if not systemd:
        return cgroups_path(parent, container_id, systemd=False)
    slice_name = cgroups_path(parent, container_id, systemd=True).partition(":")[0]
    return f"{expand_slice(slice_name)}/{PREFIX}-{container_id}.scope"


def expand_slice(name: str) -> str:
    """systemd nests slices by the dashes in their names: a-b.slice lies in a.slice (systemd.slice(5))."""
    stem = name.removesuffix(".slice")
    if stem in ("", "-"):
        return ""
    parts = stem.split("-")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))
