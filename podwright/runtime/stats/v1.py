"""The content of a cgroup v1 hierarchy's files. Pure, except for `read`, which returns a file's content or "".

The `total_` fields of memory.stat include the cgroups below, as everything in cgroup v2 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from podwright.runtime.model.usage import CpuTimes, DeviceIo, HugePageUsage, MemoryDetails, MemoryUsage, SwapUsage
from podwright.runtime.stats import parse

Read = Callable[[str], bytes]


def cpu_ns(read: Read, directory: str) -> int | None:
    """The CPU time used."""
    return parse.number(read(f"{directory}/cpuacct.usage"))


def memory(read: Read, directory: str) -> MemoryUsage | None:
    """Memory in use. The working set is all except the inactive page cache, as in eviction."""
    usage_bytes = parse.number(read(f"{directory}/memory.usage_in_bytes"))
    if usage_bytes is None:
        return None
    table = read(f"{directory}/memory.stat")
    return MemoryUsage(
        usage_bytes=usage_bytes,
        working_set_bytes=max(0, usage_bytes - parse.count(table, b"total_inactive_file")),
        rss_bytes=parse.count(table, b"total_rss"),
        page_faults=parse.count(table, b"total_pgfault"),
        major_page_faults=parse.count(table, b"total_pgmajfault"),
        limit_bytes=parse.limit(read(f"{directory}/memory.limit_in_bytes")),
    )


def swap(read: Read, directory: str, in_memory: MemoryUsage) -> SwapUsage | None:
    """Swap in use. None without swap accounting. memsw counts memory and swap together, also in its limit."""
    both_bytes = parse.number(read(f"{directory}/memory.memsw.usage_in_bytes"))
    if both_bytes is None:
        return None
    limit_bytes = parse.limit(read(f"{directory}/memory.memsw.limit_in_bytes"))
    return SwapUsage(
        usage_bytes=max(0, both_bytes - in_memory.usage_bytes),
        available_bytes=None if limit_bytes is None else max(0, limit_bytes - both_bytes),
    )


def cpu_times(read: Read, cpuacct: str, cpu: str) -> CpuTimes:
    """CPU times from the directories of the controllers cpuacct and cpu."""
    throttling = read(f"{cpu}/cpu.stat")
    return CpuTimes(
        user_ns=parse.number(read(f"{cpuacct}/cpuacct.usage_user")) or 0,
        system_ns=parse.number(read(f"{cpuacct}/cpuacct.usage_sys")) or 0,
        periods=parse.count(throttling, b"nr_periods"),
        throttled_periods=parse.count(throttling, b"nr_throttled"),
        throttled_ns=parse.count(throttling, b"throttled_time"),
    )


def memory_details(read: Read, directory: str) -> MemoryDetails:
    """The cgroup's MemoryDetails."""
    table = read(f"{directory}/memory.stat")
    return MemoryDetails(
        cache_bytes=parse.count(table, b"total_cache"),
        kernel_bytes=parse.number(read(f"{directory}/memory.kmem.usage_in_bytes")) or 0,
        mapped_file_bytes=parse.count(table, b"total_mapped_file"),
        swap_bytes=parse.count(table, b"total_swap"),
        active_file_bytes=parse.count(table, b"total_active_file"),
        inactive_file_bytes=parse.count(table, b"total_inactive_file"),
        max_usage_bytes=parse.number(read(f"{directory}/memory.max_usage_in_bytes")) or 0,
        limit_hits=parse.number(read(f"{directory}/memory.failcnt")) or 0,
        oom_kills=parse.count(read(f"{directory}/memory.oom_control"), b"oom_kill"),
        own_page_faults=parse.count(table, b"pgfault"),
        own_major_page_faults=parse.count(table, b"pgmajfault"),
    )


def devices(read: Read, directory: str) -> tuple[DeviceIo, ...]:
    """Reads and writes by device, including cgroups below. The throttling policy or the bfq scheduler counts them."""
    sizes = _blkio(read, directory, "io_service_bytes_recursive")
    requests = _blkio(read, directory, "io_serviced_recursive")
    return tuple(
        DeviceIo(
            major=key[0],
            minor=key[1],
            operation=key[2],
            size_bytes=sizes.get(key, 0),
            requests=requests.get(key, 0),
        )
        for key in sorted(sizes.keys() | requests.keys())
    )


def _blkio(read: Read, directory: str, name: str) -> dict[tuple[int, int, str], int]:
    return parse.blkio(read(f"{directory}/blkio.throttle.{name}")) or parse.blkio(
        read(f"{directory}/blkio.bfq.{name}")
    )


def huge_pages(read: Read, directory: str, page_sizes: Iterable[str]) -> tuple[HugePageUsage, ...]:
    """Huge pages of each size."""
    return tuple(
        HugePageUsage(
            page_size=size,
            usage_bytes=usage_bytes,
            max_usage_bytes=parse.number(read(f"{directory}/hugetlb.{size}.max_usage_in_bytes")),
        )
        for size in page_sizes
        if (usage_bytes := parse.number(read(f"{directory}/hugetlb.{size}.usage_in_bytes"))) is not None
    )
