"""Measurements as frozen data. None means that this host or kernel does not report the value.

Sizes are in bytes, times in nanoseconds, timestamps in nanoseconds since the epoch. Every number fits uint64.
"""

from __future__ import annotations

import msgspec

from podwright.linux.pressure import Stalls
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox

UINT64_MAX = 2**64 - 1


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """CRI's MemoryUsage. `limit_bytes` is the cgroup's own, or None."""

    usage_bytes: int
    working_set_bytes: int
    rss_bytes: int
    page_faults: int
    major_page_faults: int
    limit_bytes: int | None = None

    @property
    def available_bytes(self) -> int | None:
        """The memory left below the limit. None without a limit, as in a kubelet."""
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.working_set_bytes)


class SwapUsage(msgspec.Struct, frozen=True, kw_only=True):
    """CRI's SwapUsage. `available_bytes` is None without a limit."""

    usage_bytes: int
    available_bytes: int | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a cgroup and those below it."""

    timestamp: int
    cpu_ns: int | None = None
    nano_cores: int | None = None
    cpu_psi: Stalls | None = None
    memory: MemoryUsage | None = None
    memory_psi: Stalls | None = None
    swap: SwapUsage | None = None
    io_psi: Stalls | None = None


class LayerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a container's writable layer."""

    used_bytes: int
    inodes: int
    timestamp: int


class InterfaceUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of a network interface."""

    name: str
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


class ContainerStats(msgspec.Struct, frozen=True, kw_only=True):
    """A container's usage. `layer_mountpoint` is the filesystem of its writable layer."""

    container: Container
    usage: Usage
    layer: LayerUsage | None = None
    layer_mountpoint: str = ""


class SandboxStats(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's usage. `interfaces` excludes the loopback, and is None for a pod on the host's network."""

    sandbox: Sandbox
    usage: Usage
    process_count: int
    interfaces: tuple[InterfaceUsage, ...] | None = None
    containers: tuple[ContainerStats, ...] = ()


class CpuTimes(msgspec.Struct, frozen=True, kw_only=True):
    """CPU time by mode, and throttling by the quota (CFS bandwidth control)."""

    user_ns: int
    system_ns: int
    periods: int
    throttled_periods: int
    throttled_ns: int


class MemoryDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Memory metrics beyond MemoryUsage. `own_` counts exclude the cgroups below."""

    cache_bytes: int
    kernel_bytes: int
    mapped_file_bytes: int
    swap_bytes: int
    active_file_bytes: int
    inactive_file_bytes: int
    max_usage_bytes: int
    limit_hits: int
    oom_kills: int
    own_page_faults: int
    own_major_page_faults: int


class DeviceIo(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and requests of one kind ("Read", "Write", ...) on a block device."""

    major: int
    minor: int
    operation: str
    size_bytes: int = 0
    requests: int = 0


class HugePageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Huge pages in use. `max_usage_bytes` is None on cgroup v2, which has no peak."""

    page_size: str
    usage_bytes: int
    max_usage_bytes: int | None = None


class Pids(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks in a cgroup. `limit` 0 means no limit."""

    tasks: int
    limit: int


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """A cgroup's processes in /proc. `max_open_files` is the first process's soft limit."""

    count: int
    file_descriptors: int
    sockets: int
    max_open_files: int | None = None


class Filesystem(msgspec.Struct, frozen=True, kw_only=True):
    """The filesystem of a writable layer."""

    limit_bytes: int
    inodes: int
    inodes_free: int


class ContainerDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The values for a container's metrics."""

    stats: ContainerStats
    cpu: CpuTimes | None = None
    memory: MemoryDetails | None = None
    devices: tuple[DeviceIo, ...] = ()
    huge_pages: tuple[HugePageUsage, ...] = ()
    pids: Pids | None = None
    processes: Processes | None = None
    filesystem: Filesystem | None = None
