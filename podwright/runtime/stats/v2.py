"""The content of a cgroup v2 directory's files. Pure, except for `read`, which returns a file's content or ""."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.runtime.model.usage import (
    UINT64_MAX,
    CpuTimes,
    DeviceIo,
    HugePageUsage,
    MemoryDetails,
    MemoryUsage,
    SwapUsage,
)
from podwright.runtime.stats import parse
from podwright.runtime.stats.v1 import Read


def cpu_ns(read: Read, directory: str) -> int | None:
    """The CPU time used."""
    microseconds = parse.field(read(f"{directory}/cpu.stat"), b"usage_usec")
    return None if microseconds is None else parse.ns(microseconds)


def memory(read: Read, directory: str) -> MemoryUsage | None:
    """As in v1."""
    usage_bytes = parse.number(read(f"{directory}/memory.current"))
    if usage_bytes is None:
        return None
    table = read(f"{directory}/memory.stat")
    return MemoryUsage(
        usage_bytes=usage_bytes,
        working_set_bytes=max(0, usage_bytes - parse.count(table, b"inactive_file")),
        rss_bytes=parse.count(table, b"anon"),
        page_faults=parse.count(table, b"pgfault"),
        major_page_faults=parse.count(table, b"pgmajfault"),
        limit_bytes=parse.limit(read(f"{directory}/memory.max")),
    )


def swap(read: Read, directory: str, _in_memory: MemoryUsage) -> SwapUsage | None:
    """Swap in use. None if the kernel has no swap accounting."""
    usage_bytes = parse.number(read(f"{directory}/memory.swap.current"))
    if usage_bytes is None:
        return None
    limit_bytes = parse.limit(read(f"{directory}/memory.swap.max"))
    return SwapUsage(
        usage_bytes=usage_bytes,
        available_bytes=None if limit_bytes is None else max(0, limit_bytes - usage_bytes),
    )


def cpu_times(read: Read, directory: str, _cpu: str) -> CpuTimes:
    """The cgroup's CpuTimes."""
    table = read(f"{directory}/cpu.stat")
    return CpuTimes(
        user_ns=parse.ns(parse.count(table, b"user_usec")),
        system_ns=parse.ns(parse.count(table, b"system_usec")),
        periods=parse.count(table, b"nr_periods"),
        throttled_periods=parse.count(table, b"nr_throttled"),
        throttled_ns=parse.ns(parse.count(table, b"throttled_usec")),
    )


def memory_details(read: Read, directory: str) -> MemoryDetails:
    """The cgroup's MemoryDetails. v2 has no page faults of the cgroup alone, so the totals stand for them.

    Kernels before 5.18 do not report the sum of kernel memory, those before 5.19 not the peak. The known parts and
    the current usage are lower bounds.
    """
    table = read(f"{directory}/memory.stat")
    events = read(f"{directory}/memory.events")
    kernel_bytes = parse.field(table, b"kernel")
    if kernel_bytes is None:
        kernel_bytes = parse.count(table, b"slab") + parse.count(table, b"kernel_stack")
    peak_bytes = parse.number(read(f"{directory}/memory.peak"))
    if peak_bytes is None:
        peak_bytes = parse.number(read(f"{directory}/memory.current")) or 0
    return MemoryDetails(
        cache_bytes=parse.count(table, b"file"),
        kernel_bytes=min(kernel_bytes, UINT64_MAX),
        mapped_file_bytes=parse.count(table, b"file_mapped"),
        swap_bytes=parse.number(read(f"{directory}/memory.swap.current")) or 0,
        active_file_bytes=parse.count(table, b"active_file"),
        inactive_file_bytes=parse.count(table, b"inactive_file"),
        max_usage_bytes=peak_bytes,
        limit_hits=parse.count(events, b"max"),
        oom_kills=parse.count(events, b"oom_kill"),
        own_page_faults=parse.count(table, b"pgfault"),
        own_major_page_faults=parse.count(table, b"pgmajfault"),
    )


def devices(read: Read, directory: str) -> tuple[DeviceIo, ...]:
    """Reads and writes by device."""
    return tuple(
        DeviceIo(
            major=major,
            minor=minor,
            operation=operation,
            size_bytes=table.get(f"{letter}bytes", 0),
            requests=table.get(f"{letter}ios", 0),
        )
        for (major, minor), table in sorted(parse.io_stat(read(f"{directory}/io.stat")).items())
        for operation, letter in (("Read", "r"), ("Write", "w"))
    )


def huge_pages(read: Read, directory: str, page_sizes: Iterable[str]) -> tuple[HugePageUsage, ...]:
    """Huge pages of each size."""
    return tuple(
        HugePageUsage(page_size=size, usage_bytes=usage_bytes)
        for size in page_sizes
        if (usage_bytes := parse.number(read(f"{directory}/hugetlb.{size}.current"))) is not None
    )
