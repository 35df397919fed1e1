"""The stats service: what to measure, combined with what other rooms know. Called by the gRPC edge.

Lists are snapshots: `running` and `ready` choose records at once, and what disappears before the measurement is left
out. Measurements run one at a time, so that many clients do not multiply the load.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.config import Config
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.image import FsUsage
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.model.usage import ContainerDetails, ContainerStats, SandboxStats, Usage
from podwright.runtime.network.threads import in_fresh_thread
from podwright.runtime.stats import metrics
from podwright.runtime.stats.collector import IDLE_S, Collector, PodReading, block_device_name, filesystem_of
from podwright.runtime.stats.layers import WalkPace, WritableLayers, measure
from podwright.runtime.stats.metrics import SandboxMetrics

Result = TypeVar("Result")

WITHOUT_PROCESS = frozenset({ContainerState.CREATING, ContainerState.CREATED, ContainerState.EXITED})


class MeasuredContainers(Protocol):
    """What this service needs of an engine's containers: see `container.service`."""

    def get(self, container_id: str, /) -> Container: ...
    def visible(self) -> list[Container]: ...
    def in_sandbox(self, sandbox_id: SandboxId, /) -> list[Container]: ...
    def usage_cgroup(self, container: Container, /) -> str | None: ...
    async def reported_usages(self, wanted: Iterable[Container], /) -> dict[ContainerId, Usage]: ...
    def written_files(self, container: Container, /) -> str: ...


class MeasuredSandboxes(Protocol):
    """And of its sandboxes."""

    def get(self, sandbox_id: str, /) -> Sandbox: ...
    def visible(self) -> list[Sandbox]: ...


class MeasuredImages(Protocol):
    """And of its images."""

    async def fs_usage(self) -> FsUsage: ...


class StatsService:
    """Measures on request. See `rates` and `layers` for what is kept between requests."""

    def __init__(
        self,
        config: Config,
        cgroups: CgroupHost,
        *,
        containers: MeasuredContainers,
        sandboxes: MeasuredSandboxes,
        images: MeasuredImages,
        layers_folder: str = "",
    ) -> None:
        """`layers_folder` has the writable layers, if images are elsewhere: see `[images] store`."""
        self._config = config
        self._containers = containers
        self._sandboxes = sandboxes
        self._images = images
        self._collector = Collector(
            cgroups, containers.usage_cgroup, systemd=config.containers.cgroup_driver == "systemd"
        )
        self._layers = WritableLayers()
        self._lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._layers_folder = self._mountpoint = layers_folder

    async def container(self, container_id: str) -> ContainerStats:
        """The usage of a container. Raises NotFound, and FailedPrecondition if it has no process."""
        container = self._containers.get(container_id)
        if container.state not in WITHOUT_PROCESS:
            for stats in await self.of_containers([container]):
                return stats
        raise FailedPrecondition(
            f"container {container.id[:12]} has no process to measure ({self._containers.get(container.id).state})"
        )

    def running(self, chosen: Callable[[Container], bool]) -> list[Container]:
        """The containers that can be measured, oldest first."""
        return [c for c in self._containers.visible() if c.state not in WITHOUT_PROCESS and chosen(c)]

    async def of_containers(self, wanted: Sequence[Container]) -> list[ContainerStats]:
        """The usage of containers. Containers without a cgroup are left out."""
        reported = await self._containers.reported_usages(wanted)
        usages = await self._measure(lambda: reported | self._collector.containers(wanted))
        return await self._with_layers(wanted, usages)

    async def sandbox(self, sandbox_id: str) -> SandboxStats:
        """The usage of a pod. Raises NotFound, and FailedPrecondition if it is not READY."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready, so it cannot be measured")
        (stats,) = await self.of_sandboxes([sandbox])
        return stats

    def ready(self, chosen: Callable[[Sandbox], bool] = lambda _: True) -> list[Sandbox]:
        """The pods that can be measured, oldest first."""
        return [s for s in self._sandboxes.visible() if s.state is SandboxState.READY and chosen(s)]

    async def of_sandboxes(self, wanted: Sequence[Sandbox]) -> list[SandboxStats]:
        """The usage of pods and their containers."""
        members: dict[str, list[Container]] = {sandbox.id: self._members(sandbox.id) for sandbox in wanted}
        inside = [container for containers in members.values() for container in containers]
        reported = await self._containers.reported_usages(inside)

        def measure() -> tuple[dict[ContainerId, Usage], dict[str, PodReading]]:
            usages = reported | self._collector.containers(inside)
            return usages, self._collector.pods(wanted, members, usages)

        usages, pods = await self._measure(measure)
        by_sandbox: dict[str, list[ContainerStats]] = defaultdict(list)
        for stats in await self._with_layers(inside, usages):
            by_sandbox[stats.container.sandbox_id].append(stats)
        return [
            SandboxStats(
                sandbox=sandbox,
                usage=pods[sandbox.id].usage,
                process_count=pods[sandbox.id].process_count,
                interfaces=pods[sandbox.id].interfaces,
                containers=tuple(by_sandbox[sandbox.id]),
            )
            for sandbox in wanted
        ]

    async def metrics(self, wanted: Sequence[Sandbox]) -> list[SandboxMetrics]:
        """The metrics of pods and their containers."""
        found = await self.of_sandboxes(wanted)
        inside = [stats for pod in found for stats in pod.containers]
        details = await self._measure(lambda: [self._collector.details(stats) for stats in inside])
        whole = await in_fresh_thread(lambda: [self._look(each) for each in details])
        by_sandbox: dict[str, list[ContainerDetails]] = defaultdict(list)
        for each in whole:
            by_sandbox[each.stats.container.sandbox_id].append(each)
        device_name = functools.cache(block_device_name)
        return [metrics.of_sandbox(pod, by_sandbox[pod.sandbox.id], device_name) for pod in found]

    def _look(self, details: ContainerDetails) -> ContainerDetails:
        """The part that needs no lock and may be slow."""
        container = details.stats.container
        return msgspec.structs.replace(
            details,
            processes=self._collector.processes(container),
            filesystem=filesystem_of(self._upper(container)),
        )

    def _members(self, sandbox_id: SandboxId) -> list[Container]:
        return [c for c in self._containers.in_sandbox(sandbox_id) if c.state not in WITHOUT_PROCESS]

    async def _measure(self, work: Callable[[], Result]) -> Result:
        """Run the collector. A minute after the last call, it releases its files."""
        async with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            try:
                return await in_fresh_thread(work)
            finally:
                self._collector.sweep()
                self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._collector.sweep, 0.0)

    async def _with_layers(
        self, wanted: Iterable[Container], usages: Mapping[ContainerId, Usage]
    ) -> list[ContainerStats]:
        there = [container for container in wanted if container.id in usages]
        layers = await self._layers.usages({container.id: self._upper(container) for container in there})
        if layers and not self._mountpoint:  # the filesystem of ImageFsInfo, because kubelets compare the two
            self._mountpoint = (await self._images.fs_usage()).mountpoint
        return [
            ContainerStats(
                container=container,
                usage=usages[container.id],
                layer=layers.get(container.id),
                layer_mountpoint=self._mountpoint,
            )
            for container in there
        ]

    async def layers_usage(self) -> FsUsage | None:
        """The disk usage of all writable layers, as far as it is known. None if they are where images are."""
        if not self._layers_folder:
            return None
        layers = await self._layers.usages({each.id: self._upper(each) for each in self._containers.visible()})
        return FsUsage(
            mountpoint=self._layers_folder,
            used_bytes=sum(layer.used_bytes for layer in layers.values()),
            inodes_used=sum(layer.inodes for layer in layers.values()),
            timestamp=time.time_ns(),
        )

    async def written(self) -> list[tuple[Container, int]]:
        """The bytes in the writable layer of every container, running or not, measured now."""
        containers = self._containers.visible()

        def measure_all() -> list[tuple[Container, int]]:
            pace, found = WalkPace(lambda: False), []
            for container in containers:
                with contextlib.suppress(OSError, PodwrightError):  # it is gone, or too large to be measured
                    found.append((container, measure(self._upper(container), pace.starting()).used_bytes))
            return found

        return await in_fresh_thread(measure_all)

    def _upper(self, container: Container) -> str:
        return self._containers.written_files(container)

    async def close(self) -> None:
        """Close open files and stop walks."""
        if self._idle is not None:
            self._idle.cancel()
        await self._layers.close()
        async with self._lock:
            self._collector.sweep(0.0)
