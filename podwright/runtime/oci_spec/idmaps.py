"""Mappings of a user namespace in the OCI spec's format. Pure."""

from __future__ import annotations

from podwright.runtime.model.base import UserNamespace

OciMapping = dict[str, int]


def oci_mappings(user: UserNamespace) -> dict[str, list[OciMapping]]:
    """The two keys of OCI's `linux` section, also for a namespace that is joined by its path.

    runc before 1.1.11 requires them there. Later ones read the namespace's own and warn of matching ones, which
    containerd and CRI-O pass as well. crun takes the owners of stdio and of the cgroup from them. Mounts with mapped
    owners do not need them: those are mapped before the runtime sees them (`container.staging`).
    """
    return {
        key: [{"containerID": entry.container_id, "hostID": entry.host_id, "size": entry.length} for entry in mappings]
        for key, mappings in (("uidMappings", user.uids), ("gidMappings", user.gids))
    }
