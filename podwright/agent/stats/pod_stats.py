"""The pods' part of the summary: what the runtime reports, completed from the pods' cgroups and files on this host.

Blocking, for a thread: files of cgroups and logs are read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.configs.files import hosts_path
from podwright.agent.runtime.records import CriContainerStatus, ObservedPod
from podwright.agent.stats import cri, disk
from podwright.agent.stats.cgroup_usage import CgroupUsage
from podwright.agent.stats.rates import CpuRates
from podwright.agent.stats.records import Fs, Moment, PodReference, PodStats, SummaryContainer, moment
from podwright.agent.stats.storage import ephemeral_storage
from podwright.agent.stats.volumes import PodVolumeStats
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod


class RuntimeStats(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime's answer: pods with their containers, or only containers if it lacks ListPodSandboxStats."""

    sandboxes: tuple[api.PodSandboxStats, ...] | None
    containers: tuple[api.ContainerStats, ...] = ()


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The directories of pods. `cgroup` measures a pod's cgroup."""

    log_root: str
    pod_directory: Callable[[str], str]
    cgroup: Callable[[Pod, Moment], CgroupUsage | None]
    with_pressure: bool


class StatsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The input for the records of all pods. `volumes` is None if disks are not measured."""

    now: Moment
    reported: RuntimeStats
    observed: tuple[ObservedPod, ...]
    pods: Mapping[str, Pod]
    node: Fs | None = None
    volumes: Mapping[str, PodVolumeStats] | None = None
    filesystems: dict[str, Fs | None] = msgspec.field(default_factory=dict)


class PodBuilder:
    """Builds the records of all pods in a snapshot."""

    def __init__(self, places: Places, rates: CpuRates) -> None:
        self._places = places
        self._rates = rates

    def build(self, snapshot: StatsSnapshot) -> tuple[PodStats, ...]:
        """The records of all pods with a ready sandbox whose usage the runtime reports. Raises OSError."""
        self._rates.forget(snapshot.now)
        return tuple(self._pods(snapshot))

    def _pods(self, snapshot: StatsSnapshot) -> Iterator[PodStats]:
        sandboxes = {each.attributes.id: each for each in snapshot.reported.sandboxes or ()}
        containers = {each.attributes.id: each for each in snapshot.reported.containers}
        for observed in snapshot.observed:
            ready = observed.ready_sandboxes()
            if not ready:
                continue
            stats = sandboxes.get(ready[0].id)
            if stats is not None:
                reported: Iterable[api.ContainerStats] = stats.linux.containers
            else:
                reported = [containers[each.id] for each in observed.running() if each.id in containers]
                if not reported:
                    continue
            yield self._pod(snapshot, observed, stats, reported)

    def _pod(
        self,
        snapshot: StatsSnapshot,
        observed: ObservedPod,
        stats: api.PodSandboxStats | None,
        reported: Iterable[api.ContainerStats],
    ) -> PodStats:
        running = {each.id: each for each in observed.running()}
        sandbox = observed.ready_sandboxes()[0]
        containers = tuple(
            self._container(snapshot, observed, each, running[each.attributes.id])
            for each in reported
            if each.attributes.id in running
        )
        linux = stats.linux if stats is not None else api.LinuxPodSandboxStats()
        pressure = self._places.with_pressure
        record = PodStats(
            pod_ref=PodReference(name=sandbox.pod_name, namespace=sandbox.pod_namespace, uid=sandbox.pod_uid),
            start_time=moment(sandbox.created_at_ns),
            containers=containers,
            cpu=cri.cpu(linux.cpu, with_pressure=pressure) if linux.HasField("cpu") else None,
            memory=cri.memory(linux.memory, with_pressure=pressure) if linux.HasField("memory") else None,
            io=cri.io(linux.io) if linux.HasField("io") and pressure else None,
            network=cri.network(linux.network, snapshot.now) if linux.HasField("network") else None,
            process_stats=cri.processes(linux.process) if linux.HasField("process") else None,
        )
        record = self._completed(record, snapshot.pods.get(observed.uid), snapshot.now)
        record = replace(record, cpu=self._rates.rated(f"pod {observed.uid}", record.cpu))
        if snapshot.node is None or snapshot.volumes is None:
            return replace(record, network=None, process_stats=None, io=None)
        return self._with_storage(record, snapshot.node, snapshot.volumes.get(observed.uid, PodVolumeStats()))

    def _completed(self, record: PodStats, pod: Pod | None, now: Moment) -> PodStats:
        """The record, completed from the pod's cgroup, or else from its containers."""
        containers = record.containers
        if record.cpu is not None and record.memory is not None:
            return replace(record, swap=cri.summed_swap(containers))
        found = self._places.cgroup(pod, now) if pod is not None else None
        if found is None:
            found = CgroupUsage()
        return replace(
            record,
            cpu=record.cpu or found.cpu or cri.summed_cpu(containers),
            memory=record.memory or found.memory or cri.summed_memory(containers),
            swap=found.swap or cri.summed_swap(containers),
            io=record.io or found.io,
        )

    def _container(
        self, snapshot: StatsSnapshot, observed: ObservedPod, reported: api.ContainerStats, status: CriContainerStatus
    ) -> SummaryContainer:
        made = cri.container(reported, status.created_at_ns, snapshot.now, with_pressure=self._places.with_pressure)
        made = replace(made, cpu=self._rates.rated(status.id, made.cpu))
        if snapshot.node is None:
            return replace(made, io=None)
        return replace(
            made, rootfs=self._rootfs(snapshot, reported), logs=self._logs(snapshot.node, observed, made.name)
        )

    def _rootfs(self, snapshot: StatsSnapshot, reported: api.ContainerStats) -> Fs | None:
        if not reported.HasField("writable_layer"):
            return None
        layer = reported.writable_layer
        usage = disk.DiskUsage(used_bytes=layer.used_bytes.value, inodes=layer.inodes_used.value)
        when = moment(layer.timestamp)
        whole = self._filesystem(snapshot, layer.fs_id.mountpoint)
        if whole is None:
            return Fs(time=when, used_bytes=usage.used_bytes, inodes_used=usage.inodes)
        return disk.of(whole, usage, when)

    def _filesystem(self, snapshot: StatsSnapshot, mountpoint: str) -> Fs | None:
        """The filesystem. None for one that this host cannot see."""
        if mountpoint not in snapshot.filesystems:
            snapshot.filesystems[mountpoint] = None
            with contextlib.suppress(OSError):
                if mountpoint:
                    snapshot.filesystems[mountpoint] = disk.filesystem(mountpoint, snapshot.now)
        return snapshot.filesystems[mountpoint]

    def _logs(self, node: Fs, observed: ObservedPod, container: str) -> Fs:
        folder = self._log_folder(observed.namespace, observed.name, observed.uid)
        return disk.of(node, disk.files(os.path.join(folder, container)), node.time)

    def _log_folder(self, namespace: str, name: str, uid: str) -> str:
        return f"{self._places.log_root}/{namespace}_{name}_{uid}"

    def _with_storage(self, record: PodStats, node: Fs, volumes: PodVolumeStats) -> PodStats:
        reference = record.pod_ref
        folder = self._log_folder(reference.namespace, reference.name, reference.uid)
        hosts = disk.file(hosts_path(self._places.pod_directory(reference.uid)))
        files = [disk.of(node, disk.files(folder), node.time)]
        if hosts is not None:
            files.append(disk.of(node, hosts, node.time))
        return replace(
            record,
            volume_stats=(*volumes.ephemeral, *volumes.persistent),
            ephemeral_storage=ephemeral_storage(node, record.containers, volumes.ephemeral, files),
        )
