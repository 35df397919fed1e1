"""Mirror pods, which show static pods at the API server.

A mirror is created when its static pod is synced, and deleted when that pod is gone or replaced. Deleting it through
the API does not stop the static pod (pkg/kubelet/pod/mirror_client.go of Kubernetes 1.36).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from msgspec.structs import replace

from podwright.agent.node.current import CurrentNode
from podwright.agent.pods.identity import CONFIG_HASH, CONFIG_MIRROR
from podwright.errors import AlreadyExists, NotFound, PodwrightError
from podwright.k8s.client.failures import Conflict
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import DeleteOptions, Node, ObjectMeta, OwnerReference, Pod, PodStatus, Preconditions

log = logging.getLogger(__name__)


class NoMirrors:
    """For an agent without an API server."""

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        pass

    async def remove(self, mirrors: Iterable[Pod]) -> None:
        pass


class ApiMirrors:
    """Mirrors at an API server. Implements `workers.ports.PodMirrors` and `housekeeping.OrphanMirrors`."""

    def __init__(self, server: ApiServer, node: CurrentNode) -> None:
        self._server = server
        self._node = node

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        """Create the mirror, and replace a stale one. A failure is logged, because the pod runs without a mirror."""
        node = self._node.node
        if not self._node.is_registered or node.metadata.deletion_timestamp is not None:
            return  # the node, its owner, is missing; its registration syncs static pods again
        try:
            if mirror is not None and _is_stale(pod, mirror):
                await self._delete(mirror)
                mirror = None
            if mirror is None:
                await self._create(mirror_of(pod, node))
        except PodwrightError as failure:
            log.warning("the mirror of a static pod is not made: pod=%s/%s error=%s", *_name(pod), failure)

    async def remove(self, mirrors: Iterable[Pod]) -> None:
        """Delete the mirrors. An absent one succeeds. Raises PodwrightError."""
        for mirror in mirrors:
            await self._delete(mirror)

    async def _create(self, mirror: Pod) -> None:
        try:
            await self._server.create(mirror)
        except AlreadyExists:
            metadata = mirror.metadata
            found = await self._server.get(Pod, metadata.name, namespace=metadata.namespace)
            if found.metadata.annotations.get(CONFIG_MIRROR) != metadata.annotations[CONFIG_MIRROR]:
                raise

    async def _delete(self, mirror: Pod) -> None:
        metadata = mirror.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        try:
            await self._server.delete(Pod, metadata.name, namespace=metadata.namespace, options=options)
        except (NotFound, Conflict):
            return  # it is gone, or another pod has its name
        log.info("the mirror of a static pod is deleted: pod=%s/%s", *_name(mirror))


def mirror_of(pod: Pod, node: Node) -> Pod:
    """The mirror of a static pod. The node owns it, so that both are deleted together."""
    owner = OwnerReference(
        api_version="v1", kind="Node", name=node.metadata.name, uid=node.metadata.uid, controller=True
    )
    metadata = ObjectMeta(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        labels=pod.metadata.labels,
        annotations={**pod.metadata.annotations, CONFIG_MIRROR: pod.metadata.annotations.get(CONFIG_HASH, "")},
        owner_references=(owner,),
    )
    return replace(pod, metadata=metadata, status=PodStatus())


def _is_stale(pod: Pod, mirror: Pod) -> bool:
    """Whether the mirror is of another version of the manifest, or is being deleted."""
    expected = pod.metadata.annotations.get(CONFIG_HASH)
    return mirror.metadata.deletion_timestamp is not None or mirror.metadata.annotations.get(CONFIG_MIRROR) != expected


def _name(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name
