"""The rows `id="/"` of `/metrics/cadvisor`: the machine, which cAdvisor counts as a container. Pure.

Names, types and labels are cAdvisor's. Memory is that of /proc/meminfo, as in the other metrics of the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.agent.metrics.prometheus import Family, Sample
from podwright.agent.stats.cadvisor_metrics import HELPS, Named, families_of, of_container, of_interface
from podwright.agent.stats.machine_disks import SECTOR_BYTES, DiskCounters, MachineDisk
from podwright.agent.stats.machine_usage import MachineDetails
from podwright.agent.stats.records import Moment, NodeStats, SummaryContainer

MS_PER_S = 1000
LABELS = {"container": "", "id": "/", "image": "", "name": "", "namespace": "", "pod": ""}

_HELPS = HELPS | {
    "container_cpu_user_seconds_total": "Cumulative user cpu time consumed in seconds.",
    "container_cpu_system_seconds_total": "Cumulative system cpu time consumed in seconds.",
    "container_memory_cache": "Number of bytes of page cache memory.",
    "container_memory_mapped_file": "Size of memory mapped files in bytes.",
    "container_memory_total_active_file_bytes": "Current total active file in bytes.",
    "container_memory_total_inactive_file_bytes": "Current total inactive file in bytes.",
    "container_memory_failures_total": "Cumulative count of memory allocation failures.",
    "container_spec_memory_limit_bytes": "Memory limit for the container.",
    "container_spec_memory_swap_limit_bytes": "Memory swap limit for the container.",
    "container_spec_memory_reservation_limit_bytes": "Memory reservation limit for the container.",
    "container_fs_inodes_free": "Number of available Inodes",
    "container_fs_inodes_total": "Number of Inodes",
    "container_fs_reads_bytes_total": "Cumulative count of bytes read",
    "container_fs_reads_total": "Cumulative count of reads completed",
    "container_fs_sector_reads_total": "Cumulative count of sector reads completed",
    "container_fs_reads_merged_total": "Cumulative count of reads merged",
    "container_fs_read_seconds_total": "Cumulative count of seconds spent reading",
    "container_fs_writes_bytes_total": "Cumulative count of bytes written",
    "container_fs_writes_total": "Cumulative count of writes completed",
    "container_fs_sector_writes_total": "Cumulative count of sector writes completed",
    "container_fs_writes_merged_total": "Cumulative count of writes merged",
    "container_fs_write_seconds_total": "Cumulative count of seconds spent writing",
    "container_fs_io_current": "Number of I/Os currently in progress",
    "container_fs_io_time_seconds_total": "Cumulative count of seconds spent doing I/Os",
    "container_fs_io_time_weighted_seconds_total": "Cumulative weighted I/O time in seconds",
}


def of_machine(node: NodeStats, details: MachineDetails, disks: Iterable[MachineDisk], now: Moment) -> list[Family]:
    """All rows of the machine."""
    return families_of(_rows(node, details, disks, now), _HELPS)


def _rows(node: NodeStats, details: MachineDetails, disks: Iterable[MachineDisk], now: Moment) -> Iterator[Named]:
    whole = SummaryContainer(
        name="", start_time=node.start_time, cpu=node.cpu, memory=node.memory, swap=node.swap, io=node.io
    )
    yield from of_container(whole, now, LABELS)
    yield from _of_details(details)
    if node.memory is not None:
        faults = {"pgfault": node.memory.page_faults, "pgmajfault": node.memory.major_page_faults}
        for kind, count in faults.items():
            for scope in ("container", "hierarchy"):
                labels = LABELS | {"failure_type": kind, "scope": scope}
                yield "container_memory_failures_total", Sample(value=count or 0, labels=labels)
    for interface in node.network.interfaces if node.network is not None else ():
        yield from of_interface(interface, LABELS)
    for disk in disks:
        labels = LABELS | {"device": disk.device}
        values = _of_space(disk) | (_of_io(disk.io) if disk.io is not None else {})
        for name, value in values.items():
            yield f"container_fs_{name}", Sample(value=value, labels=labels)


def _of_details(details: MachineDetails) -> Iterator[Named]:
    values = {
        "cpu_user_seconds_total": details.user_s,
        "cpu_system_seconds_total": details.system_s,
        "memory_cache": details.cache_bytes,
        "memory_mapped_file": details.mapped_file_bytes,
        "memory_total_active_file_bytes": details.active_file_bytes,
        "memory_total_inactive_file_bytes": details.inactive_file_bytes,
        "spec_memory_limit_bytes": details.memory_bytes,
        "spec_memory_swap_limit_bytes": details.swap_bytes,
        "spec_memory_reservation_limit_bytes": 0,
    }
    for name, value in values.items():
        yield f"container_{name}", Sample(value=value, labels=LABELS)


def _of_space(disk: MachineDisk) -> dict[str, float]:
    values = {
        "inodes_free": disk.space.inodes_free,
        "inodes_total": disk.space.inodes,
        "limit_bytes": disk.space.capacity_bytes,
        "usage_bytes": disk.space.used_bytes,
    }
    return {name: value for name, value in values.items() if value is not None}


def _of_io(io: DiskCounters) -> dict[str, float]:
    """The metrics of I/O, times in seconds.

    cAdvisor's are a millionth of these, because it takes milliseconds for nanoseconds.
    """
    return {
        "reads_bytes_total": io.sectors_read * SECTOR_BYTES,
        "reads_total": io.reads,
        "sector_reads_total": io.sectors_read,
        "reads_merged_total": io.reads_merged,
        "read_seconds_total": io.read_ms / MS_PER_S,
        "writes_bytes_total": io.sectors_written * SECTOR_BYTES,
        "writes_total": io.writes,
        "sector_writes_total": io.sectors_written,
        "writes_merged_total": io.writes_merged,
        "write_seconds_total": io.write_ms / MS_PER_S,
        "io_current": io.in_progress,
        "io_time_seconds_total": io.io_ms / MS_PER_S,
        "io_time_weighted_seconds_total": io.weighted_io_ms / MS_PER_S,
    }
