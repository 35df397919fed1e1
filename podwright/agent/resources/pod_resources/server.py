"""Serves the pod-resources API at `pod-resources/kubelet.sock`, versions v1 and v1alpha1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import msgspec

from podwright.agent.clock import Clock
from podwright.agent.metrics.pod_resources import PodResourcesMetrics
from podwright.agent.plugins.call_limit import CallLimit
from podwright.agent.plugins.serving import ServedSocket
from podwright.agent.resources.pod_resources.messages import allocatable_message, alpha_message, pod_message
from podwright.agent.resources.pod_resources.shares import Shares
from podwright.k8s.objects import Pod
from podwright.kubelet_grpc import pod_resources_alpha_pb2 as alpha
from podwright.kubelet_grpc import pod_resources_alpha_pb2_grpc as alpha_stubs
from podwright.kubelet_grpc import pod_resources_pb2 as v1
from podwright.kubelet_grpc import pod_resources_pb2_grpc as v1_stubs

FOLDER, SOCKET = "pod-resources", "kubelet.sock"
V1, V1ALPHA1 = "v1", "v1alpha1"


class PodResourcesPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the API needs of other rooms."""

    active_pods: Callable[[], list[Pod]]  # those that run or will run: others hold nothing
    named: Callable[[str, str], Pod | None]  # by namespace and name
    shares: Shares
    metrics: PodResourcesMetrics
    clock: Clock


class PodResourcesServer:
    """Both versions on one socket, with a common rate limit."""

    def __init__(self, root: str, ports: PodResourcesPorts) -> None:
        """`root` is the agent's own directory."""
        self._socket = ServedSocket(f"{root}/{FOLDER}/{SOCKET}")
        self._ports = ports

    async def start(self) -> None:
        """Start to serve. Raises PodwrightError and OSError."""
        limit = CallLimit(self._ports.clock)
        await self._socket.start(
            partial(v1_stubs.add_PodResourcesListerServicer_to_server, _Lister(self._ports, limit)),
            partial(alpha_stubs.add_PodResourcesListerServicer_to_server, _AlphaLister(self._ports, limit)),
        )

    async def close(self) -> None:
        """Stop serving."""
        await self._socket.close()


class _Lister(v1_stubs.PodResourcesListerServicer):
    def __init__(self, ports: PodResourcesPorts, limit: CallLimit) -> None:
        self._ports = ports
        self._limit = limit

    async def List(self, request: v1.ListPodResourcesRequest, context: Any) -> v1.ListPodResourcesResponse:  # noqa: ARG002, N802
        """Every pod that runs, or will."""
        await self._limit.check(context)
        ports = self._ports
        ports.metrics.requests.add(V1)
        ports.metrics.lists.add(V1)
        pods = [pod_message(pod, ports.shares) for pod in ports.active_pods()]
        return v1.ListPodResourcesResponse(pod_resources=pods)

    async def GetAllocatableResources(  # noqa: N802
        self,
        request: v1.AllocatableResourcesRequest,  # noqa: ARG002
        context: Any,
    ) -> v1.AllocatableResourcesResponse:
        """List the devices, CPUs and memory that can be allotted."""
        await self._limit.check(context)
        self._ports.metrics.requests.add(V1)
        self._ports.metrics.allocatables.add(V1)
        return allocatable_message(self._ports.shares)

    async def Get(self, request: v1.GetPodResourcesRequest, context: Any) -> v1.GetPodResourcesResponse:  # noqa: N802
        """One pod."""
        await self._limit.check(context)
        ports = self._ports
        ports.metrics.requests.add(V1)
        ports.metrics.gets.add(V1)
        pod = ports.named(request.pod_namespace, request.pod_name)
        if pod is not None:
            return v1.GetPodResourcesResponse(pod_resources=pod_message(pod, ports.shares))
        ports.metrics.get_errors.add(V1)
        message = f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
        await context.abort(grpc.StatusCode.NOT_FOUND, message)
        return v1.GetPodResourcesResponse()  # abort does not return


class _AlphaLister(alpha_stubs.PodResourcesListerServicer):
    def __init__(self, ports: PodResourcesPorts, limit: CallLimit) -> None:
        self._ports = ports
        self._limit = limit

    async def List(self, request: alpha.ListPodResourcesRequest, context: Any) -> alpha.ListPodResourcesResponse:  # noqa: ARG002, N802
        """Every pod that runs, or will."""
        await self._limit.check(context)
        ports = self._ports
        ports.metrics.requests.add(V1ALPHA1)
        pods = [alpha_message(pod, ports.shares) for pod in ports.active_pods()]
        return alpha.ListPodResourcesResponse(pod_resources=pods)
