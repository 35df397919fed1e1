"""`/stats/summary`, and metrics from the same measurements."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from podwright import __version__
from podwright.agent.clock import Clock
from podwright.agent.metrics.prometheus import Family, exposition
from podwright.agent.node.machine import Machine
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.server.http.messages import Answer, HttpRequest, json, text
from podwright.agent.stats import cadvisor_metrics, machine_rows, machine_usage, resource_metrics
from podwright.agent.stats.machine_disks import machine_disks
from podwright.agent.stats.protocol import StatsProvider
from podwright.agent.stats.records import Summary, encode, moment
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError, Unimplemented
from podwright.linux.machine_files import read_text

log = logging.getLogger(__name__)


class StatsPaths:
    """The handlers, and the texts for `metrics.of`."""

    def __init__(
        self,
        stats: StatsProvider,
        runtime: CriRuntime,
        observed: Callable[[], Iterable[ObservedPod]],
        machine: Machine,
        clock: Clock,
    ) -> None:
        self._stats = stats
        self._runtime = runtime
        self._observed = observed
        self._machine = machine
        self._clock = clock
        self._descriptors: list[api.MetricDescriptor] | None = None

    async def summary(self, request: HttpRequest) -> Answer:
        """GET, POST /stats/summary?only_cpu_and_memory=true."""
        is_light = request.query.get("only_cpu_and_memory") == ["true"]
        try:
            if is_light:
                node, pods = await asyncio.gather(self._stats.node_cpu_and_memory(), self._stats.pods_cpu_and_memory())
            else:
                node, pods = await asyncio.gather(self._stats.node(), self._stats.pods())
        except (PodwrightError, OSError) as failure:
            log.warning("the summary cannot be made: error=%s", failure)
            return text(f"Internal Error: {failure}", 500)
        return json(encode(Summary(node=node, pods=pods)))

    async def resource(self) -> bytes:
        """The text of /metrics/resource."""
        try:
            node, pods = await asyncio.gather(self._stats.node_cpu_and_memory(), self._stats.pods_cpu_and_memory())
        except (PodwrightError, OSError) as failure:
            log.warning("resource metrics cannot be made: error=%s", failure)
            return exposition(resource_metrics.families(None, ()))
        return exposition(resource_metrics.families(node, pods))

    async def cadvisor(self) -> bytes:
        """The text of /metrics/cadvisor. Like a kubelet's, it lacks parts that cannot be measured."""
        machine, pods = await asyncio.gather(self._of_machine(), self._of_pods())
        about = cadvisor_metrics.machine_families(self._machine, __version__)
        return exposition(cadvisor_metrics.merged([*about, *machine, *pods]))

    async def _of_pods(self) -> list[Family]:
        try:
            return await self._of_runtime()
        except Unimplemented:
            return await self._of_summary()
        except PodwrightError as failure:
            log.warning("the runtime's metrics cannot be had: error=%s", failure)
            return []

    async def _of_machine(self) -> list[Family]:
        now = moment(self._clock.now_ns())
        try:
            node = await self._stats.node()
            details = await asyncio.to_thread(machine_usage.details, read_text)
            disks = await asyncio.to_thread(machine_disks, read_text, now)
        except (PodwrightError, OSError) as failure:
            log.warning("metrics of the machine cannot be made: error=%s", failure)
            return []
        return machine_rows.of_machine(node, details, disks, now)

    async def _of_runtime(self) -> list[Family]:
        if self._descriptors is None:
            self._descriptors = await self._runtime.metric_descriptors()
        return cadvisor_metrics.of_runtime(self._descriptors, await self._runtime.sandbox_metrics())

    async def _of_summary(self) -> list[Family]:
        try:
            pods = await self._stats.pods()
        except (PodwrightError, OSError) as failure:
            log.warning("metrics of containers cannot be made: error=%s", failure)
            return []
        return cadvisor_metrics.of_summary(pods, moment(self._clock.now_ns()), self._identities())

    def _identities(self) -> dict[tuple[str, str], dict[str, str]]:
        found: dict[tuple[str, str], dict[str, str]] = {}
        for pod in self._observed():
            for sandbox in pod.ready_sandboxes()[:1]:
                found[pod.uid, ""] = {"id": sandbox.id, "image": "", "name": sandbox.id}
            for status in pod.running():
                found[pod.uid, status.name] = {"id": status.id, "image": status.image, "name": status.id}
        return found
