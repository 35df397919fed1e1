"""Decides which namespaces are the pod's, the container's, or the host's. Pure."""

from __future__ import annotations

import msgspec

from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod


class PodUserNamespace(msgspec.Struct, frozen=True, kw_only=True):
    """Ids 0 to `length` - 1 of the pod are those from `first_id` on the host, for users and groups alike."""

    first_id: int
    length: int


def namespace_options(pod: Pod, users: PodUserNamespace | None) -> api.NamespaceOption:
    """The options. `users` is None for a pod without a user namespace."""
    spec = pod.spec
    pid = api.NamespaceMode.CONTAINER
    if spec.host_pid:
        pid = api.NamespaceMode.NODE
    elif spec.share_process_namespace:
        pid = api.NamespaceMode.POD
    return api.NamespaceOption(
        network=api.NamespaceMode.NODE if spec.host_network else api.NamespaceMode.POD,
        pid=pid,
        ipc=api.NamespaceMode.NODE if spec.host_ipc else api.NamespaceMode.POD,
        userns_options=_user_options(users),
    )


def id_mappings(users: PodUserNamespace | None) -> list[api.IDMapping]:
    """The mapping of a user namespace, which the pod's mounts have, too."""
    return [api.IDMapping(host_id=users.first_id, container_id=0, length=users.length)] if users else []


def _user_options(users: PodUserNamespace | None) -> api.UserNamespace:
    mode = api.NamespaceMode.POD if users else api.NamespaceMode.NODE
    return api.UserNamespace(mode=mode, uids=id_mappings(users), gids=id_mappings(users))
