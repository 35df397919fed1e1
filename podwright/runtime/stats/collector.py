"""Reads the kernel's files for the service: usages of containers and pods, details for metrics. Blocks.

One call at a time, in a thread that ends with the call. Whatever disappears during a read is left out without an
error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from podwright.linux.cgroup import CgroupHost
from podwright.linux.kept_files import KeptFiles
from podwright.runtime.handlers.processes.cgroups import limited
from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.model.usage import (
    UINT64_MAX,
    ContainerDetails,
    ContainerStats,
    Filesystem,
    InterfaceUsage,
    MemoryUsage,
    Processes,
    Usage,
)
from podwright.runtime.stats import links, processes
from podwright.runtime.stats.cgroups import CgroupReader
from podwright.runtime.stats.ownership import own_cgroup
from podwright.runtime.stats.rates import Rates

IDLE_S = 60.0  # files that were not requested for this time are closed


class PodReading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a pod, apart from its containers."""

    usage: Usage
    process_count: int
    interfaces: tuple[InterfaceUsage, ...] | None


class Collector:
    """Keeps files open and recent samples, both for recently requested cgroups."""

    def __init__(self, host: CgroupHost, cgroup_of: Callable[[Container], str | None], *, systemd: bool) -> None:
        """`cgroup_of` returns a container's cgroup, or None if its handler measures the usage."""
        self._files = KeptFiles()
        self._reader = CgroupReader(host, self._files.read)
        self._rates = Rates()
        self._host = host
        self._container_cgroup = cgroup_of
        self._systemd = systemd

    def _cgroup_of(self, container: Container) -> str | None:
        """Where the container's usage is counted and limited."""
        path = self._container_cgroup(container)
        return None if path is None else limited(self._host, path)

    def containers(self, wanted: Iterable[Container]) -> dict[ContainerId, Usage]:
        """The usage of each container that has a cgroup."""
        found: dict[ContainerId, Usage] = {}
        for container in wanted:
            path = self._cgroup_of(container)
            usage = self._usage(path, container.started_at or container.created_at) if path is not None else None
            if usage is not None:
                found[container.id] = usage
        return found

    def _usage(self, cgroup: str, born_at: int) -> Usage | None:
        """`born_at` is the creation time of the cgroup, in nanoseconds since the epoch."""
        usage = self._reader.usage(cgroup)
        if usage is None or usage.cpu_ns is None:
            return usage
        now_ns = time.monotonic_ns()
        born_ns = now_ns - max(0, usage.timestamp - born_at)
        rate = self._rates.rate(cgroup, usage.cpu_ns, now_ns=now_ns, born_ns=born_ns)
        return usage if rate is None else replace(usage, nano_cores=rate)

    def pods(
        self,
        wanted: Sequence[Sandbox],
        members: Mapping[str, Sequence[Container]],
        usages: Mapping[ContainerId, Usage],
    ) -> dict[str, PodReading]:
        """The usage of each pod, by id. `members` are its containers, and `usages` theirs.

        Changes its thread's namespaces.
        """
        interfaces = links.interfaces_of(sandbox.netns for sandbox in wanted if sandbox.netns)
        found: dict[str, PodReading] = {}
        for sandbox in wanted:
            usage, count = self._pod(sandbox, members.get(sandbox.id, ()), usages)
            found[sandbox.id] = PodReading(usage=usage, process_count=count, interfaces=interfaces.get(sandbox.netns))
        return found

    def _pod(
        self, sandbox: Sandbox, members: Sequence[Container], usages: Mapping[ContainerId, Usage]
    ) -> tuple[Usage, int]:
        own = own_cgroup(sandbox, systemd=self._systemd)
        usage = None if own is None else self._usage(own, sandbox.created_at)
        if own is not None and usage is not None:
            return usage, self._reader.tasks(own)
        there = [container for container in members if container.id in usages]
        return total([usages[container.id] for container in there]), sum(
            self._reader.tasks(path) for each in there if (path := self._cgroup_of(each)) is not None
        )

    def details(self, stats: ContainerStats) -> ContainerDetails:
        """Further values for metrics, from the cgroup's files."""
        path, reader = self._cgroup_of(stats.container), self._reader
        if path is None:
            return ContainerDetails(stats=stats)
        return ContainerDetails(
            stats=stats,
            cpu=reader.cpu_times(path),
            memory=reader.memory_details(path),
            devices=reader.devices(path),
            huge_pages=reader.huge_pages(path),
            pids=reader.pids(path),
        )

    def processes(self, container: Container) -> Processes | None:
        """The open files of its processes.

        Safe in parallel with other calls, because thousands of descriptors take time.
        """
        path = self._cgroup_of(container)
        directory = self._reader.task_directory(path) if path is not None else None
        return None if directory is None else processes.look(directory, container.pid)

    def sweep(self, idle_s: float = IDLE_S) -> None:
        """Close files and drop samples that were not requested recently."""
        self._files.sweep(idle_s)
        self._rates.forget(now_ns=time.monotonic_ns())


def total(usages: Sequence[Usage]) -> Usage:
    """The sum of containers, for values that can be summed.

    Stalls cannot, nor can limits if one container has none.
    """
    rates = [usage.nano_cores for usage in usages]
    memories = [usage.memory for usage in usages if usage.memory is not None]
    return Usage(
        timestamp=max((usage.timestamp for usage in usages), default=time.time_ns()),
        cpu_ns=_sum(usage.cpu_ns or 0 for usage in usages),
        nano_cores=None if None in rates else _sum(rate or 0 for rate in rates),
        memory=_total_memory(memories),
    )


def _total_memory(memories: Sequence[MemoryUsage]) -> MemoryUsage:
    limits = [memory.limit_bytes for memory in memories]
    return MemoryUsage(
        usage_bytes=_sum(memory.usage_bytes for memory in memories),
        working_set_bytes=_sum(memory.working_set_bytes for memory in memories),
        rss_bytes=_sum(memory.rss_bytes for memory in memories),
        page_faults=_sum(memory.page_faults for memory in memories),
        major_page_faults=_sum(memory.major_page_faults for memory in memories),
        limit_bytes=_sum(limit or 0 for limit in limits) if limits and None not in limits else None,
    )


def _sum(numbers: Iterable[int]) -> int:
    return min(sum(numbers), UINT64_MAX)


def filesystem_of(path: str) -> Filesystem | None:
    """The filesystem of `path`, or None if the path does not exist."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Filesystem(limit_bytes=found.f_blocks * found.f_frsize, inodes=found.f_files, inodes_free=found.f_ffree)


def block_device_name(major: int, minor: int) -> str:
    """A device's usual path (/dev/sda), or its number if it has disappeared."""
    try:
        return "/dev/" + os.path.basename(os.readlink(f"/sys/dev/block/{major}:{minor}"))
    except OSError:
        return f"{major}:{minor}"
