"""ContainerStats, PodSandboxStats and the metrics, with their List and Stream forms."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, TypeVar

from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.engines.protocol import StatsEngine
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.rpc import convert_stats
from podwright.runtime.rpc.lists import packed
from podwright.runtime.stats.descriptors import DESCRIPTORS

Item = TypeVar("Item")

PORTION = 500  # records that a stream measures at once; `packed` limits the size of its messages


class StatsRpcs:
    """Streamed replies consist of List replies of one element: see `lists`."""

    def __init__(self, stats: StatsEngine) -> None:
        self._stats = stats

    async def ContainerStats(self, request: api.ContainerStatsRequest, _: Any) -> api.ContainerStatsResponse:
        stats = await self._stats.container(request.container_id)
        return api.ContainerStatsResponse(stats=convert_stats.container(stats))

    async def ListContainerStats(
        self, request: api.ListContainerStatsRequest, _: Any
    ) -> api.ListContainerStatsResponse:
        return api.ListContainerStatsResponse(stats=await self._containers(self._chosen_containers(request.filter)))

    async def StreamContainerStats(
        self, request: api.StreamContainerStatsRequest, _: Any
    ) -> AsyncGenerator[bytes, None]:
        for portion in portions(self._chosen_containers(request.filter)):
            found = await self._containers(portion)
            for message in packed(api.ListContainerStatsResponse(stats=[one]).SerializeToString() for one in found):
                yield message

    def _chosen_containers(self, wanted: api.ContainerStatsFilter) -> list[Container]:
        return self._stats.running(functools.partial(convert_stats.container_matches, wanted=wanted))

    async def _containers(self, chosen: Sequence[Container]) -> list[api.ContainerStats]:
        return [convert_stats.container(stats) for stats in await self._stats.of_containers(chosen)]

    async def PodSandboxStats(self, request: api.PodSandboxStatsRequest, _: Any) -> api.PodSandboxStatsResponse:
        stats = await self._stats.sandbox(request.pod_sandbox_id)
        return api.PodSandboxStatsResponse(stats=convert_stats.sandbox(stats))

    async def ListPodSandboxStats(
        self, request: api.ListPodSandboxStatsRequest, _: Any
    ) -> api.ListPodSandboxStatsResponse:
        return api.ListPodSandboxStatsResponse(stats=await self._sandboxes(self._chosen_sandboxes(request.filter)))

    async def StreamPodSandboxStats(
        self, request: api.StreamPodSandboxStatsRequest, _: Any
    ) -> AsyncGenerator[bytes, None]:
        for portion in portions(self._chosen_sandboxes(request.filter)):
            found = await self._sandboxes(portion)
            for message in packed(api.ListPodSandboxStatsResponse(stats=[one]).SerializeToString() for one in found):
                yield message

    def _chosen_sandboxes(self, wanted: api.PodSandboxStatsFilter) -> list[Sandbox]:
        return self._stats.ready(functools.partial(convert_stats.sandbox_matches, wanted=wanted))

    async def _sandboxes(self, chosen: Sequence[Sandbox]) -> list[api.PodSandboxStats]:
        return [convert_stats.sandbox(stats) for stats in await self._stats.of_sandboxes(chosen)]

    async def ListMetricDescriptors(
        self, _request: api.ListMetricDescriptorsRequest, _: Any
    ) -> api.ListMetricDescriptorsResponse:
        described = [convert_stats.descriptor(descriptor) for descriptor in DESCRIPTORS.values()]
        return api.ListMetricDescriptorsResponse(descriptors=described)

    async def ListPodSandboxMetrics(
        self, _request: api.ListPodSandboxMetricsRequest, _: Any
    ) -> api.ListPodSandboxMetricsResponse:
        return api.ListPodSandboxMetricsResponse(pod_metrics=await self._metrics(self._stats.ready()))

    async def StreamPodSandboxMetrics(
        self, _request: api.StreamPodSandboxMetricsRequest, _: Any
    ) -> AsyncGenerator[bytes, None]:
        for portion in portions(self._stats.ready()):
            found = await self._metrics(portion)
            replies = (api.ListPodSandboxMetricsResponse(pod_metrics=[one]).SerializeToString() for one in found)
            for message in packed(replies):
                yield message

    async def _metrics(self, chosen: Sequence[Sandbox]) -> list[api.PodSandboxMetrics]:
        return [convert_stats.metrics(found) for found in await self._stats.metrics(chosen)]


def portions(records: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Slices of at most PORTION records. Without records there is no slice."""
    return (records[start : start + PORTION] for start in range(0, len(records), PORTION))
