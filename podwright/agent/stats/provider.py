"""The `StatsProvider` of this host and its runtime."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.runtime.protocol import CriImages, CriRuntime
from podwright.agent.runtime.records import FilesystemSpace, ObservedPod
from podwright.agent.stats import disk, machine_usage, system_parts
from podwright.agent.stats.cgroup_usage import CgroupUsage, usage
from podwright.agent.stats.pod_stats import Places, PodBuilder, RuntimeStats, StatsSnapshot
from podwright.agent.stats.protocol import Filesystems
from podwright.agent.stats.rates import CpuRates
from podwright.agent.stats.records import (
    Fs,
    Moment,
    NodeStats,
    PodStats,
    Rlimit,
    RuntimeFilesystems,
    SummaryContainer,
    moment,
)
from podwright.agent.stats.sharing import SharedMeasurement
from podwright.agent.stats.volumes import VolumeUsage
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, PodwrightError, Unavailable, Unimplemented
from podwright.k8s.objects import Pod
from podwright.linux.cgroup import CgroupHost
from podwright.linux.machine_files import read_text

log = logging.getLogger(__name__)


class StatsPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider needs of other rooms.

    `cgroup_of` returns the path of a pod's cgroup, or raises PodwrightError.
    """

    runtime: CriRuntime
    images: CriImages
    clock: Clock
    host: CgroupHost
    observed: Callable[[], Iterable[ObservedPod]]
    pods: Callable[[], Iterable[Pod]]
    cgroup_of: Callable[[Pod], str]
    pod_directory: Callable[[str], str]
    volumes: VolumeUsage


class StatsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Names and paths. `parts` returns the cgroups of the system's parts, by their names in the summary."""

    node_name: str
    root: str
    log_root: str
    with_pressure: bool
    parts: Callable[[], Mapping[str, str]]


class HostStats:
    """Measures the host, and gets pods' statistics from the runtime."""

    def __init__(self, ports: StatsPorts, settings: StatsSettings) -> None:
        self._ports = ports
        self._settings = settings
        self._rates = CpuRates()
        self._began = self._now()
        self._booted = moment(machine_usage.boot_time_s(read_text) * 10**9)
        places = Places(
            log_root=settings.log_root,
            pod_directory=ports.pod_directory,
            cgroup=self._pod_cgroup,
            with_pressure=settings.with_pressure,
        )
        self._builder = PodBuilder(places, CpuRates())
        self._light_builder = PodBuilder(places, CpuRates())
        self._reported = SharedMeasurement(self._ask_runtime, ports.clock)
        self._pods = SharedMeasurement(self._build_pods, ports.clock)
        self._light_pods = SharedMeasurement(self._build_light_pods, ports.clock)
        self._node = SharedMeasurement(self._build_node, ports.clock)
        self._filesystems = SharedMeasurement(self._build_filesystems, ports.clock)

    async def close(self) -> None:
        """Stop measuring."""
        for shared in (self._reported, self._pods, self._light_pods, self._node, self._filesystems):
            await shared.close()
        await self._ports.volumes.close()

    async def node(self, *, fresh: bool = False) -> NodeStats:
        return await self._node.get(fresh=fresh)

    async def node_cpu_and_memory(self) -> NodeStats:
        node = await self._node.get()
        return replace(node, fs=None, network=None, runtime=None, rlimit=None, io=None)

    async def pods(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        return await self._pods.get(fresh=fresh)

    async def pods_cpu_and_memory(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        return await self._light_pods.get(fresh=fresh)

    async def filesystems(self, *, fresh: bool = False) -> Filesystems:
        return await self._filesystems.get(fresh=fresh)

    def pids(self) -> Rlimit:
        return machine_usage.pids(read_text, self._now())

    # -- pods

    async def _ask_runtime(self) -> RuntimeStats:
        try:
            return RuntimeStats(sandboxes=tuple(await self._ports.runtime.sandbox_stats()))
        except Unimplemented:
            return RuntimeStats(sandboxes=None, containers=tuple(await self._ports.runtime.container_stats()))
        except (Unavailable, DeadlineExceeded):
            raise
        except PodwrightError as failure:  # in containerd 1.6 a pod that is just ending fails the list
            log.debug("the runtime cannot list the stats of pods: error=%s", failure)
            return RuntimeStats(sandboxes=await self._one_by_one())

    async def _one_by_one(self) -> tuple[api.PodSandboxStats, ...]:
        """The statistics of the sandboxes, one call each. Failures are left out."""
        ids = [sandbox.id for pod in self._ports.observed() for sandbox in pod.ready_sandboxes()]
        asked = (self._ports.runtime.stats_of_sandbox(each) for each in ids)
        found = await asyncio.gather(*asked, return_exceptions=True)
        return tuple(each for each in found if isinstance(each, api.PodSandboxStats))

    async def _snapshot(self) -> StatsSnapshot:
        return StatsSnapshot(
            reported=await self._reported.get(fresh=True),
            now=self._now(),
            observed=tuple(self._ports.observed()),
            pods={pod.metadata.uid: pod for pod in self._ports.pods()},
        )

    async def _build_light_pods(self) -> tuple[PodStats, ...]:
        snapshot = await self._snapshot()
        return await asyncio.to_thread(self._light_builder.build, snapshot)

    async def _build_pods(self) -> tuple[PodStats, ...]:
        light = await self._snapshot()
        running = [light.pods[each.uid] for each in light.observed if each.uid in light.pods and each.running()]
        volumes = await self._ports.volumes.of(running)
        node = await asyncio.to_thread(disk.filesystem, self._settings.root, light.now)
        snapshot = StatsSnapshot(
            now=light.now,
            reported=light.reported,
            observed=light.observed,
            pods=light.pods,
            node=node,
            volumes=volumes,
        )
        return await asyncio.to_thread(self._builder.build, snapshot)

    def _pod_cgroup(self, pod: Pod, now: Moment) -> CgroupUsage | None:
        try:
            path = self._ports.cgroup_of(pod)
            return self._usage(path, now) if path else None
        except (PodwrightError, OSError) as failure:
            log.debug("a pod's cgroup cannot be read: uid=%s error=%s", pod.metadata.uid, failure)
            return None

    # -- the node

    async def _build_filesystems(self) -> Filesystems:
        images, containers = await self._ports.images.filesystems()
        return await asyncio.to_thread(self._judge_filesystems, images[:1], containers[:1] or images[:1], self._now())

    def _judge_filesystems(
        self, images: Sequence[FilesystemSpace], containers: Sequence[FilesystemSpace], now: Moment
    ) -> Filesystems:
        root = self._settings.root
        layers_apart = bool(images and containers) and _is_other(containers[0].mountpoint, images[0].mountpoint)
        return Filesystems(
            node=disk.filesystem(root, now),
            images=_used(images[0], now) if images else None,
            containers=_used(containers[0], now) if containers else None,
            dedicated_images=layers_apart or (bool(images) and _is_other(images[0].mountpoint, root)),
            dedicated_containers=layers_apart,
        )

    async def _build_node(self) -> NodeStats:
        filesystems = await self._filesystems.get(fresh=True)
        return await asyncio.to_thread(self._node_record, filesystems, self._now())

    def _node_record(self, filesystems: Filesystems, now: Moment) -> NodeStats:
        found = self._usage("/", now) or CgroupUsage()
        memory = machine_usage.memory(read_text, now)
        if memory is not None and found.memory is not None:
            memory = replace(memory, psi=found.memory.psi)
        return NodeStats(
            node_name=self._settings.node_name,
            start_time=self._booted,
            system_containers=tuple(self._parts(now)),
            cpu=self._rates.rated("/", found.cpu),
            memory=memory,
            io=found.io,
            swap=machine_usage.swap(read_text, now),
            network=machine_usage.network(read_text, now),
            fs=filesystems.node,
            runtime=RuntimeFilesystems(image_fs=filesystems.images, container_fs=filesystems.containers),
            rlimit=machine_usage.pids(read_text, now),
        )

    def _parts(self, now: Moment) -> Iterable[SummaryContainer]:
        for name, path in self._settings.parts().items():
            found = self._usage(path, now) if path else None
            if found is None:
                continue
            made = self._began if name == "kubelet" else system_parts.made_at(self._ports.host, path)
            yield SummaryContainer(
                name=name,
                start_time=made or now,
                cpu=self._rates.rated(f"part {name}", found.cpu),
                memory=found.memory,
                swap=found.swap,
                io=found.io,
            )

    def _usage(self, path: str, now: Moment) -> CgroupUsage | None:
        return usage(self._ports.host, path, now, with_pressure=self._settings.with_pressure)

    def _now(self) -> Moment:
        return moment(self._ports.clock.now_ns())


def _used(found: FilesystemSpace, now: Moment) -> Fs:
    """The runtime's usage of a filesystem, without its capacity if this host cannot see it."""
    taken = disk.DiskUsage(used_bytes=found.used_bytes, inodes=found.inodes_used)
    try:
        return disk.of(disk.filesystem(found.mountpoint, now), taken, now)
    except OSError:
        return Fs(time=now, used_bytes=taken.used_bytes, inodes_used=taken.inodes)


def _is_other(path: str, than: str) -> bool:
    try:
        return os.stat(path).st_dev != os.stat(than).st_dev
    except OSError:
        return False
