"""The groups and users that own the files of a pod's volumes. Pure."""

from __future__ import annotations

from podwright.agent.pods.containers import all_containers
from podwright.k8s.objects import Pod


def fs_group(pod: Pod) -> int | None:
    """The group that owns the pod's volumes."""
    context = pod.spec.security_context
    return context.fs_group if context is not None else None


def token_user(pod: Pod) -> int | None:
    """The user that all containers run as. None if a container names no user, or if they differ.

    The kubelet gives tokens to that user (volume/util.FsUserFrom).
    """
    users = set()
    context = pod.spec.security_context
    for container in all_containers(pod):
        own = container.security_context
        user = own.run_as_user if own is not None else None
        if user is None and context is not None:
            user = context.run_as_user
        users.add(user)
    return users.pop() if len(users) == 1 else None
