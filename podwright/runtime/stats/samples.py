"""The values of metrics: measurements to samples. Pure. `descriptors` has the names.

CRI's values are integers, so seconds are truncated, as in other runtimes. Unknown values have no sample. Two samples
never have the same name and labels, because a kubelet would then reject the whole scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from mmap import PAGESIZE
from typing import NamedTuple

from podwright.linux.pressure import Stalls
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import (
    ContainerDetails,
    CpuTimes,
    DeviceIo,
    HugePageUsage,
    InterfaceUsage,
    MemoryDetails,
    MemoryUsage,
    Usage,
)
from podwright.runtime.stats import parse

NS_PER_S = 1_000_000_000
DEFAULT_CPU_PERIOD_US = 100_000  # the kernel's
DEFAULT_CPU_SHARES = 1024  # the kernel's

DeviceName = Callable[[int, int], str]


class MetricSample(NamedTuple):
    """A value. `labels` are those beyond the base, `timestamp` 0 means "now"."""

    name: str
    value: int
    labels: tuple[str, ...] = ()
    timestamp: int = 0


def of_interfaces(interfaces: Iterable[InterfaceUsage]) -> Iterator[MetricSample]:
    """A pod's network."""
    for each in interfaces:
        labels = (each.name,)
        yield MetricSample("container_network_receive_bytes_total", each.rx_bytes, labels)
        yield MetricSample("container_network_receive_packets_total", each.rx_packets, labels)
        yield MetricSample("container_network_receive_packets_dropped_total", each.rx_dropped, labels)
        yield MetricSample("container_network_receive_errors_total", each.rx_errors, labels)
        yield MetricSample("container_network_transmit_bytes_total", each.tx_bytes, labels)
        yield MetricSample("container_network_transmit_packets_total", each.tx_packets, labels)
        yield MetricSample("container_network_transmit_packets_dropped_total", each.tx_dropped, labels)
        yield MetricSample("container_network_transmit_errors_total", each.tx_errors, labels)


def of_container(details: ContainerDetails, device_name: DeviceName) -> Iterator[MetricSample]:
    """All samples of a container."""
    container, usage = details.stats.container, details.stats.usage
    yield MetricSample("container_last_seen", usage.timestamp // NS_PER_S)
    yield MetricSample("container_start_time_seconds", container.started_at // NS_PER_S)
    yield from _cpu(usage, details.cpu)
    yield from _memory(usage.memory, details.memory)
    yield from _pressure(usage)
    yield from _devices(details.devices, device_name)
    yield from _filesystem(details)
    yield from _huge_pages(details.huge_pages)
    yield from _processes(details)
    yield from _spec(container.resources)


def _cpu(usage: Usage, times: CpuTimes | None) -> Iterator[MetricSample]:
    if usage.cpu_ns is not None:
        yield MetricSample("container_cpu_usage_seconds_total", usage.cpu_ns // NS_PER_S)
    if times is not None:
        yield MetricSample("container_cpu_user_seconds_total", times.user_ns // NS_PER_S)
        yield MetricSample("container_cpu_system_seconds_total", times.system_ns // NS_PER_S)
        yield MetricSample("container_cpu_cfs_periods_total", times.periods)
        yield MetricSample("container_cpu_cfs_throttled_periods_total", times.throttled_periods)
        yield MetricSample("container_cpu_cfs_throttled_seconds_total", times.throttled_ns // NS_PER_S)


def _memory(usage: MemoryUsage | None, details: MemoryDetails | None) -> Iterator[MetricSample]:
    if usage is None or details is None:
        return
    yield MetricSample("container_memory_cache", details.cache_bytes)
    yield MetricSample("container_memory_rss", usage.rss_bytes)
    yield MetricSample("container_memory_kernel_usage", details.kernel_bytes)
    yield MetricSample("container_memory_mapped_file", details.mapped_file_bytes)
    yield MetricSample("container_memory_swap", details.swap_bytes)
    yield MetricSample("container_memory_failcnt", details.limit_hits)
    yield MetricSample("container_memory_usage_bytes", usage.usage_bytes)
    yield MetricSample("container_memory_max_usage_bytes", max(details.max_usage_bytes, usage.usage_bytes))
    yield MetricSample("container_memory_working_set_bytes", usage.working_set_bytes)
    yield MetricSample("container_memory_total_active_file_bytes", details.active_file_bytes)
    yield MetricSample("container_memory_total_inactive_file_bytes", details.inactive_file_bytes)
    yield MetricSample("container_memory_failures_total", details.own_page_faults, ("pgfault", "container"))
    yield MetricSample("container_memory_failures_total", usage.page_faults, ("pgfault", "hierarchy"))
    yield MetricSample("container_memory_failures_total", details.own_major_page_faults, ("pgmajfault", "container"))
    yield MetricSample("container_memory_failures_total", usage.major_page_faults, ("pgmajfault", "hierarchy"))
    yield MetricSample("container_oom_events_total", details.oom_kills)


def _pressure(usage: Usage) -> Iterator[MetricSample]:
    found: tuple[tuple[str, Stalls | None], ...] = (
        ("cpu", usage.cpu_psi),
        ("memory", usage.memory_psi),
        ("io", usage.io_psi),
    )
    for resource, psi in found:
        if psi is not None:
            yield MetricSample(f"container_pressure_{resource}_stalled_seconds_total", psi.full.total_ns // NS_PER_S)
            yield MetricSample(f"container_pressure_{resource}_waiting_seconds_total", psi.some.total_ns // NS_PER_S)


def _devices(devices: Iterable[DeviceIo], device_name: DeviceName) -> Iterator[MetricSample]:
    for each in devices:
        name = device_name(each.major, each.minor)
        labels = (name, str(each.major), str(each.minor), each.operation)
        yield MetricSample("container_blkio_device_usage_total", each.size_bytes, labels)
        if each.operation == "Read":
            yield MetricSample("container_fs_reads_bytes_total", each.size_bytes, (name,))
            yield MetricSample("container_fs_reads_total", each.requests, (name,))
        elif each.operation == "Write":
            yield MetricSample("container_fs_writes_bytes_total", each.size_bytes, (name,))
            yield MetricSample("container_fs_writes_total", each.requests, (name,))


def _filesystem(details: ContainerDetails) -> Iterator[MetricSample]:
    below, layer = details.filesystem, details.stats.layer
    if below is not None:
        yield MetricSample("container_fs_inodes_free", below.inodes_free)
        yield MetricSample("container_fs_inodes_total", below.inodes)
        yield MetricSample("container_fs_limit_bytes", below.limit_bytes)
    if layer is not None:
        yield MetricSample("container_fs_usage_bytes", layer.used_bytes, timestamp=layer.timestamp)


def _huge_pages(huge_pages: Iterable[HugePageUsage]) -> Iterator[MetricSample]:
    for each in huge_pages:
        yield MetricSample("container_hugetlb_usage_bytes", each.usage_bytes, (each.page_size,))
        if each.max_usage_bytes is not None:
            yield MetricSample("container_hugetlb_max_usage_bytes", each.max_usage_bytes, (each.page_size,))


def _processes(details: ContainerDetails) -> Iterator[MetricSample]:
    processes, pids = details.processes, details.pids
    if processes is not None:
        yield MetricSample("container_processes", processes.count)
        yield MetricSample("container_file_descriptors", processes.file_descriptors)
        yield MetricSample("container_sockets", processes.sockets)
        if processes.max_open_files is not None:
            yield MetricSample("container_ulimits_soft", processes.max_open_files, ("max_open_files",))
    if pids is not None:
        yield MetricSample("container_threads", pids.tasks)
        yield MetricSample("container_threads_max", pids.limit)


def _spec(resources: Resources) -> Iterator[MetricSample]:
    text = resources.unified.get("memory.min") or resources.unified.get("memory.low") or ""
    reserved_bytes = parse.number(text.encode()) or 0
    yield MetricSample("container_spec_cpu_period", resources.cpu_period or DEFAULT_CPU_PERIOD_US)
    if resources.cpu_quota > 0:
        yield MetricSample("container_spec_cpu_quota", resources.cpu_quota)
    yield MetricSample("container_spec_cpu_shares", resources.cpu_shares or DEFAULT_CPU_SHARES)
    yield MetricSample("container_spec_memory_limit_bytes", _whole_pages(resources.memory_limit_bytes))
    yield MetricSample("container_spec_memory_reservation_limit_bytes", _whole_pages(reserved_bytes))
    yield MetricSample("container_spec_memory_swap_limit_bytes", _whole_pages(resources.memory_swap_limit_bytes))


def _whole_pages(limit_bytes: int) -> int:
    """What the kernel makes of a limit: whole pages, rounded down. 0 without a limit."""
    return max(0, limit_bytes) // PAGESIZE * PAGESIZE
