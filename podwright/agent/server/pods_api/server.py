"""Serves the Pods API at `pods-api/pods-api.sock`, version v1alpha1 (pkg/kubelet/apis/pods of Kubernetes 1.36)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc
import msgspec

from podwright.agent.clock import Clock
from podwright.agent.plugins.call_limit import CallLimit
from podwright.agent.plugins.serving import ServedSocket
from podwright.agent.server.pods_api.feed import PodFeed, ShownPod
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Pod
from podwright.kubelet_grpc import pods_pb2, pods_pb2_grpc

log = logging.getLogger(__name__)

FOLDER, SOCKET = "pods-api", "pods-api.sock"


class PodsApiPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the API needs of other rooms."""

    pods: Callable[[], list[Pod]]  # the wanted pods, with the agent's statuses
    feed: PodFeed
    clock: Clock


class PodsApiServer:
    """The API on its socket."""

    def __init__(self, root: str, ports: PodsApiPorts) -> None:
        """`root` is the agent's own directory."""
        self._socket = ServedSocket(f"{root}/{FOLDER}/{SOCKET}")
        self._ports = ports

    async def start(self) -> None:
        """Start to serve. Raises PodwrightError and OSError."""
        await self._socket.start(partial(pods_pb2_grpc.add_PodsServicer_to_server, _PodsService(self._ports)))

    async def close(self) -> None:
        """Stop serving. Watches end."""
        await self._socket.close()


class _PodsService(pods_pb2_grpc.PodsServicer):
    def __init__(self, ports: PodsApiPorts) -> None:
        self._ports = ports
        self._limit = CallLimit(ports.clock)

    async def ListPods(self, request: pods_pb2.ListPodsRequest, context: Any) -> pods_pb2.ListPodsResponse:  # noqa: ARG002, N802
        """List every pod."""
        await self._limit.check(context)
        return pods_pb2.ListPodsResponse(pods=[await _encoded(change, context) for change in self._present()])

    async def GetPod(self, request: pods_pb2.GetPodRequest, context: Any) -> pods_pb2.GetPodResponse:  # noqa: N802
        """Get one pod."""
        await self._limit.check(context)
        for change in self._present():
            if change.pod.metadata.uid == request.podUID:
                return pods_pb2.GetPodResponse(pod=await _encoded(change, context))
        await context.abort(grpc.StatusCode.NOT_FOUND, f"pod with UID {request.podUID} not found")
        return pods_pb2.GetPodResponse()  # abort does not return

    async def WatchPods(  # noqa: N802
        self,
        request: pods_pb2.WatchPodsRequest,  # noqa: ARG002
        context: Any,
    ) -> AsyncIterator[pods_pb2.WatchPodsEvent]:
        """Send every pod, and then every change.

        A watcher gets ADDED for a pod, MODIFIED any number of times, and DELETED, in this order. A kubelet can repeat
        ADDED for a pod that is new when the watch begins.
        """
        with self._ports.feed.watch() as watch:
            present = self._present()  # at the same moment, so that no change is missed or comes twice
            known = {change.pod.metadata.uid for change in present}
            for change in present:
                yield pods_pb2.WatchPodsEvent(type=pods_pb2.ADDED, pod=await _encoded(change, context))
            yield pods_pb2.WatchPodsEvent(type=pods_pb2.INITIAL_SYNC_COMPLETE)
            async for change in watch.changes():
                kind = _kind(change, known)
                if kind is not None:
                    yield pods_pb2.WatchPodsEvent(type=kind, pod=await _encoded(change, context))
        log.warning("a client of the Pods API is dropped, it reads too slowly: peer=%s", context.peer())
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "watch client channel closed")

    def _present(self) -> list[ShownPod]:
        return [ShownPod(pod) for pod in sorted(self._ports.pods(), key=lambda pod: pod.metadata.uid)]


def _kind(change: ShownPod, known: set[str]) -> pods_pb2.EventType | None:
    """The kind of a change, for a watcher that got ADDED for the pods in `known`. Updates `known`."""
    uid = change.pod.metadata.uid
    if change.is_gone:
        if uid not in known:
            return None
        known.discard(uid)
        return pods_pb2.DELETED
    if uid in known:
        return pods_pb2.MODIFIED
    known.add(uid)
    return pods_pb2.ADDED


async def _encoded(change: ShownPod, context: Any) -> bytes:
    try:
        return change.data
    except InvalidArgument as failure:
        await context.abort(grpc.StatusCode.INTERNAL, f"failed to marshal pod: {failure.message}")
        raise
