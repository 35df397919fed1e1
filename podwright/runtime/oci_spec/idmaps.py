"""Mappings of a user namespace in the OCI spec's format. Pure."""

from __future__ import annotations

from podwright.runtime.model.base import UserNamespace

OciMapping = dict[str, int]


def oci_mappings(user: UserNamespace) -> dict[str, list[OciMapping]]:
    """The two keys of OCI's `linux` section. runc requires them even for a namespace that it only joins."""
    return {
        key: [{"containerID": entry.container_id, "hostID": entry.host_id, "size": entry.length} for entry in mappings]
        for key, mappings in (("uidMappings", user.uids), ("gidMappings", user.gids))
    }
