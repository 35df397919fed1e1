"""CRI's lists by their streaming RPCs (feature gate CRIListStreaming), because gRPC limits the size of a message.

As in a kubelet 1.36 (staging/src/k8s.io/cri-client), a runtime without these RPCs is called for whole lists from then
on. Any other failure is the failure of the list.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import grpc.aio
import msgspec

from podwright.cri.client import DEFAULT_TIMEOUT_S, CriClient, Request, Response
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError, Unimplemented

log = logging.getLogger(__name__)

RUNTIME, IMAGES = "runtime", "images"


class StreamedList(msgspec.Struct, frozen=True, kw_only=True):
    """The streaming RPC for a list: its request has the list's filter, and `part` is the field with some items."""

    rpc: str
    request: Any
    part: str
    answer: Any  # the list's response, whose field `items` gets all items
    items: str
    service: str = RUNTIME


STREAMED: Mapping[type, StreamedList] = {
    api.ListPodSandboxRequest: StreamedList(
        rpc="StreamPodSandboxes",
        request=api.StreamPodSandboxesRequest,
        part="pod_sandboxes",
        answer=api.ListPodSandboxResponse,
        items="items",
    ),
    api.ListContainersRequest: StreamedList(
        rpc="StreamContainers",
        request=api.StreamContainersRequest,
        part="containers",
        answer=api.ListContainersResponse,
        items="containers",
    ),
    api.ListContainerStatsRequest: StreamedList(
        rpc="StreamContainerStats",
        request=api.StreamContainerStatsRequest,
        part="container_stats",
        answer=api.ListContainerStatsResponse,
        items="stats",
    ),
    api.ListPodSandboxStatsRequest: StreamedList(
        rpc="StreamPodSandboxStats",
        request=api.StreamPodSandboxStatsRequest,
        part="pod_sandbox_stats",
        answer=api.ListPodSandboxStatsResponse,
        items="stats",
    ),
    api.ListPodSandboxMetricsRequest: StreamedList(
        rpc="StreamPodSandboxMetrics",
        request=api.StreamPodSandboxMetricsRequest,
        part="pod_sandbox_metrics",
        answer=api.ListPodSandboxMetricsResponse,
        items="pod_metrics",
    ),
    api.ListImagesRequest: StreamedList(
        rpc="StreamImages",
        request=api.StreamImagesRequest,
        part="images",
        answer=api.ListImagesResponse,
        items="images",
        service=IMAGES,
    ),
}


class ListStreamingCriClient(CriClient):
    """Gets lists by streams if the runtime supports them."""

    def __init__(self, endpoint: str, *, streams_lists: bool = False) -> None:
        super().__init__(endpoint)
        self._streaming = {RUNTIME, IMAGES} if streams_lists else set()

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> Response:
        """As `CriClient.call`."""
        streamed = STREAMED.get(type(request)) if self._streaming else None
        if streamed is not None and streamed.service in self._streaming:
            try:
                answer: Response = await self._collected(streamed, request, timeout_s)
            except Unimplemented:
                log.info("the runtime does not stream lists: rpc=%s", streamed.rpc)
                self._streaming.discard(streamed.service)
            else:
                return answer
        return await super().call(method, request, timeout_s)

    async def _collected(self, streamed: StreamedList, request: Any, timeout_s: float | None) -> Any:
        wanted, answer = streamed.request(), streamed.answer()
        if "filter" in request.DESCRIPTOR.fields_by_name and request.HasField("filter"):
            wanted.filter.CopyFrom(request.filter)
        items = getattr(answer, streamed.items)
        service = self.runtime if streamed.service == RUNTIME else self.images
        try:
            async for part in self.stream(getattr(service, streamed.rpc), wanted, timeout_s):
                items.extend(getattr(part, streamed.part))
        except Unimplemented:
            raise
        except PodwrightError as failure:
            reason = f"{streamed.rpc} recv failed: {failure}"  # a kubelet's words
            log.warning("a streamed list is incomplete: items=%d error=%s", len(items), reason)
            raise
        return answer
