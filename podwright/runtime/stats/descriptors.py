"""Podwright's metrics: those that a kubelet's /metrics/cadvisor has with cAdvisor itself.

One table. A sample (`samples`) names its row. Every metric has the labels of BASE_KEYS and its own.
"""

from __future__ import annotations

import msgspec

BASE_KEYS = ("pod", "namespace", "container", "id", "image")

DEVICE = ("device",)
INTERFACE = ("interface",)
PAGE_SIZE = ("pagesize",)


class MetricDescriptor(msgspec.Struct, frozen=True):
    """One metric. `keys` are its labels beyond the base."""

    name: str
    help: str
    keys: tuple[str, ...] = ()

    @property
    def is_counter(self) -> bool:
        """Whether cAdvisor has it as a counter. The name says so, with two exceptions."""
        if self.name == "container_fs_inodes_total":
            return False
        return self.name.endswith("_total") or self.name == "container_memory_failcnt"

    @property
    def label_keys(self) -> tuple[str, ...]:
        """All its labels, in the order of a sample's values."""
        return BASE_KEYS + self.keys


_ALL = (
    MetricDescriptor("container_cpu_user_seconds_total", "CPU time spent in user mode, in seconds."),
    MetricDescriptor("container_cpu_system_seconds_total", "CPU time spent in the kernel, in seconds."),
    MetricDescriptor("container_cpu_usage_seconds_total", "CPU time spent, in seconds."),
    MetricDescriptor("container_cpu_cfs_periods_total", "Periods of the CPU quota that have passed."),
    MetricDescriptor("container_cpu_cfs_throttled_periods_total", "Periods in which the CPU quota held tasks back."),
    MetricDescriptor(
        "container_cpu_cfs_throttled_seconds_total", "Time for which the CPU quota held tasks back, in seconds."
    ),
    MetricDescriptor("container_memory_cache", "Page cache, in bytes."),
    MetricDescriptor("container_memory_rss", "Anonymous memory, in bytes."),
    MetricDescriptor("container_memory_kernel_usage", "Kernel memory, in bytes."),
    MetricDescriptor("container_memory_mapped_file", "Files mapped into memory, in bytes."),
    MetricDescriptor("container_memory_swap", "Swap in use, in bytes."),
    MetricDescriptor("container_memory_failcnt", "How often the memory limit was hit."),
    MetricDescriptor("container_memory_usage_bytes", "Memory in use, the page cache included, in bytes."),
    MetricDescriptor("container_memory_max_usage_bytes", "The most memory that was ever in use, in bytes."),
    MetricDescriptor("container_memory_working_set_bytes", "Memory in use without the idle page cache, in bytes."),
    MetricDescriptor("container_memory_total_active_file_bytes", "Page cache in active use, in bytes."),
    MetricDescriptor("container_memory_total_inactive_file_bytes", "Page cache that lies idle, in bytes."),
    MetricDescriptor("container_memory_failures_total", "Page faults.", ("failure_type", "scope")),
    MetricDescriptor("container_oom_events_total", "Processes that the kernel killed for want of memory."),
    MetricDescriptor("container_network_receive_bytes_total", "Bytes received.", INTERFACE),
    MetricDescriptor("container_network_receive_packets_total", "Packets received.", INTERFACE),
    MetricDescriptor("container_network_receive_packets_dropped_total", "Packets dropped on receipt.", INTERFACE),
    MetricDescriptor("container_network_receive_errors_total", "Errors on receipt.", INTERFACE),
    MetricDescriptor("container_network_transmit_bytes_total", "Bytes sent.", INTERFACE),
    MetricDescriptor("container_network_transmit_packets_total", "Packets sent.", INTERFACE),
    MetricDescriptor("container_network_transmit_packets_dropped_total", "Packets dropped on sending.", INTERFACE),
    MetricDescriptor("container_network_transmit_errors_total", "Errors on sending.", INTERFACE),
    MetricDescriptor("container_fs_inodes_free", "Free inodes of the filesystem below the container's root."),
    MetricDescriptor("container_fs_inodes_total", "Inodes of the filesystem below the container's root."),
    MetricDescriptor("container_fs_limit_bytes", "Size of the filesystem below the container's root, in bytes."),
    MetricDescriptor("container_fs_usage_bytes", "What the container has written into its root, in bytes."),
    MetricDescriptor("container_fs_reads_bytes_total", "Bytes read from a device.", DEVICE),
    MetricDescriptor("container_fs_reads_total", "Reads from a device.", DEVICE),
    MetricDescriptor("container_fs_writes_bytes_total", "Bytes written to a device.", DEVICE),
    MetricDescriptor("container_fs_writes_total", "Writes to a device.", DEVICE),
    MetricDescriptor(
        "container_blkio_device_usage_total",
        "Bytes moved to and from a device, by operation.",
        ("device", "major", "minor", "operation"),
    ),
    MetricDescriptor("container_hugetlb_usage_bytes", "Huge pages in use, in bytes.", PAGE_SIZE),
    MetricDescriptor(
        "container_hugetlb_max_usage_bytes", "The most huge pages that were ever in use, in bytes.", PAGE_SIZE
    ),
    MetricDescriptor("container_processes", "Processes in the container."),
    MetricDescriptor("container_file_descriptors", "Open file descriptors of the container's processes."),
    MetricDescriptor("container_sockets", "Open sockets of the container's processes."),
    MetricDescriptor("container_threads", "Threads in the container."),
    MetricDescriptor("container_threads_max", "How many threads the container may have; 0 without a limit."),
    MetricDescriptor("container_ulimits_soft", "Soft limits of the container's first process.", ("ulimit",)),
    MetricDescriptor("container_last_seen", "When the container was last seen, in seconds since the epoch."),
    MetricDescriptor("container_start_time_seconds", "When the container was started, in seconds since the epoch."),
    MetricDescriptor("container_spec_cpu_period", "The period of the container's CPU quota, in microseconds."),
    MetricDescriptor("container_spec_cpu_quota", "The container's CPU quota per period, in microseconds."),
    MetricDescriptor("container_spec_cpu_shares", "The container's share of the CPU, 1024 being one."),
    MetricDescriptor("container_spec_memory_limit_bytes", "The container's memory limit; 0 without one."),
    MetricDescriptor("container_spec_memory_reservation_limit_bytes", "Memory kept for the container; 0 for none."),
    MetricDescriptor(
        "container_spec_memory_swap_limit_bytes", "The container's limit of memory and swap; 0 without one."
    ),
    MetricDescriptor("container_pressure_cpu_stalled_seconds_total", "Time in which no task had a CPU, in seconds."),
    MetricDescriptor(
        "container_pressure_cpu_waiting_seconds_total", "Time in which some task waited for a CPU, in seconds."
    ),
    MetricDescriptor(
        "container_pressure_memory_stalled_seconds_total", "Time in which all waited for memory, in seconds."
    ),
    MetricDescriptor(
        "container_pressure_memory_waiting_seconds_total", "Time in which some waited for memory, in seconds."
    ),
    MetricDescriptor("container_pressure_io_stalled_seconds_total", "Time in which all waited for I/O, in seconds."),
    MetricDescriptor("container_pressure_io_waiting_seconds_total", "Time in which some waited for I/O, in seconds."),
)
DESCRIPTORS = {descriptor.name: descriptor for descriptor in _ALL}
