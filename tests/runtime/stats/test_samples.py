"""Metrics: every sample fits its descriptor, none comes twice, and the values are those that were measured."""

from __future__ import annotations

from mmap import PAGESIZE

from hypothesis import given
from hypothesis import strategies as st

from podwright.linux.pressure import Stalls, StallTimes
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import (
    ContainerDetails,
    ContainerStats,
    CpuTimes,
    DeviceIo,
    Filesystem,
    HugePageUsage,
    LayerUsage,
    MemoryDetails,
    MemoryUsage,
    Pids,
    Processes,
    SandboxStats,
    Usage,
)
from podwright.runtime.stats import metrics, samples
from podwright.runtime.stats.descriptors import BASE_KEYS, DESCRIPTORS
from podwright.runtime.stats.metrics import ContainerMetrics
from podwright.runtime.stats.samples import MetricSample
from tests.runtime.stats.records import CONTAINER, SANDBOX, container, interface, sandbox

PSI = Stalls(full=StallTimes(total_ns=3_900_000_000), some=StallTimes(total_ns=8_000_000_000))
USAGE = Usage(
    timestamp=99_500_000_000,
    cpu_ns=2_900_000_000,
    cpu_psi=PSI,
    memory=MemoryUsage(
        usage_bytes=100, working_set_bytes=60, rss_bytes=30, page_faults=9, major_page_faults=2, limit_bytes=None
    ),
    memory_psi=PSI,
    io_psi=PSI,
)
SPEC = Resources(
    cpu_period=100000,
    cpu_quota=20000,
    cpu_shares=1024,
    memory_limit_bytes=64 * PAGESIZE + 1,
    memory_swap_limit_bytes=97 * PAGESIZE - 1,
    unified={"memory.min": str(32 * PAGESIZE)},
)


def _details(resources: Resources = SPEC, devices: tuple[DeviceIo, ...] | None = None) -> ContainerDetails:
    read = DeviceIo(major=8, minor=0, operation="Read", size_bytes=512, requests=1)
    write = DeviceIo(major=8, minor=0, operation="Write", size_bytes=1024, requests=2)
    sync = DeviceIo(major=8, minor=0, operation="Sync", size_bytes=1536, requests=3)
    return ContainerDetails(
        stats=ContainerStats(
            container=container(resources),
            usage=USAGE,
            layer=LayerUsage(used_bytes=4096, inodes=3, timestamp=77),
            layer_mountpoint="/m",
        ),
        cpu=CpuTimes(
            user_ns=1_999_999_999, system_ns=900_000_000, periods=5, throttled_periods=4, throttled_ns=3_000_000_000
        ),
        memory=MemoryDetails(
            cache_bytes=41,
            kernel_bytes=42,
            mapped_file_bytes=43,
            swap_bytes=44,
            active_file_bytes=45,
            inactive_file_bytes=46,
            max_usage_bytes=147,
            limit_hits=48,
            oom_kills=49,
            own_page_faults=7,
            own_major_page_faults=1,
        ),
        devices=(read, write, sync) if devices is None else devices,
        huge_pages=(HugePageUsage(page_size="2MB", usage_bytes=0, max_usage_bytes=4),),
        pids=Pids(tasks=6, limit=100),
        processes=Processes(count=2, file_descriptors=11, sockets=3, max_open_files=1024),
        filesystem=Filesystem(limit_bytes=10**9, inodes=1000, inodes_free=900),
    )


def _name(major: int, minor: int) -> str:
    return f"/dev/{major}-{minor}"


def _values(details: ContainerDetails) -> dict[tuple[str, tuple[str, ...]], int]:
    found = list(samples.of_container(details, _name))
    values = {(sample.name, sample.labels): sample.value for sample in found}
    assert len(values) == len(found), "a sample comes twice"
    return values


def test_everything_that_is_described_has_a_sample() -> None:
    names = {sample.name for sample in samples.of_container(_details(), _name)}
    names |= {sample.name for sample in samples.of_interfaces([interface()])}
    assert names == set(DESCRIPTORS)


def test_samples_have_as_many_labels_as_their_descriptors_have_keys() -> None:
    for sample in [*samples.of_container(_details(), _name), *samples.of_interfaces([interface()])]:
        assert len(sample.labels) == len(DESCRIPTORS[sample.name].keys)


def test_values() -> None:
    values = _values(_details())
    expected = {
        ("container_cpu_usage_seconds_total", ()): 2,
        ("container_cpu_user_seconds_total", ()): 1,
        ("container_cpu_system_seconds_total", ()): 0,
        ("container_cpu_cfs_throttled_seconds_total", ()): 3,
        ("container_memory_working_set_bytes", ()): 60,
        ("container_memory_max_usage_bytes", ()): 147,
        ("container_memory_failures_total", ("pgfault", "container")): 7,
        ("container_memory_failures_total", ("pgfault", "hierarchy")): 9,
        ("container_memory_failures_total", ("pgmajfault", "hierarchy")): 2,
        ("container_oom_events_total", ()): 49,
        ("container_blkio_device_usage_total", ("/dev/8-0", "8", "0", "Sync")): 1536,
        ("container_fs_reads_bytes_total", ("/dev/8-0",)): 512,
        ("container_fs_writes_total", ("/dev/8-0",)): 2,
        ("container_fs_usage_bytes", ()): 4096,
        ("container_fs_inodes_free", ()): 900,
        ("container_hugetlb_max_usage_bytes", ("2MB",)): 4,
        ("container_processes", ()): 2,
        ("container_threads", ()): 6,
        ("container_threads_max", ()): 100,
        ("container_sockets", ()): 3,
        ("container_ulimits_soft", ("max_open_files",)): 1024,
        ("container_last_seen", ()): 99,
        ("container_start_time_seconds", ()): 5,
        ("container_spec_cpu_quota", ()): 20000,
        ("container_spec_memory_limit_bytes", ()): 64 * PAGESIZE,
        ("container_spec_memory_reservation_limit_bytes", ()): 32 * PAGESIZE,
        ("container_spec_memory_swap_limit_bytes", ()): 96 * PAGESIZE,
        ("container_pressure_cpu_stalled_seconds_total", ()): 3,
        ("container_pressure_io_waiting_seconds_total", ()): 8,
    }
    assert {key: values[key] for key in expected} == expected


def test_a_limit_is_what_the_kernel_makes_of_it() -> None:
    """Bounds of the node suite's case ContainerMetrics, for pages of 4 to 64 KiB."""
    values = _values(_details(Resources(memory_limit_bytes=80_000_000)))
    assert 79_953_920 <= values["container_spec_memory_limit_bytes", ()] <= 79_998_976


def test_types_are_cadvisor_s() -> None:
    counters = {name for name, descriptor in DESCRIPTORS.items() if descriptor.is_counter}
    totals = {name for name in DESCRIPTORS if name.endswith("_total")}
    assert counters - totals == {"container_memory_failcnt"}
    assert totals - counters == {"container_fs_inodes_total"}


def test_only_what_was_measured_before_has_a_timestamp() -> None:
    stamped = {sample.name for sample in samples.of_container(_details(), _name) if sample.timestamp}
    assert stamped == {"container_fs_usage_bytes"}


def test_no_limits() -> None:
    values = _values(_details(Resources(cpu_quota=-1, memory_limit_bytes=-1, unified={"memory.min": "max"})))
    assert values["container_spec_cpu_period", ()] == 100_000
    assert values["container_spec_cpu_shares", ()] == 1024
    assert values["container_spec_memory_limit_bytes", ()] == 0
    assert values["container_spec_memory_reservation_limit_bytes", ()] == 0
    assert ("container_spec_cpu_quota", ()) not in values


def test_what_is_not_known_has_no_sample() -> None:
    bare = ContainerDetails(stats=ContainerStats(container=container(), usage=Usage(timestamp=1)))
    names = {sample.name for sample in samples.of_container(bare, _name)}
    specs = {name for name in DESCRIPTORS if name.startswith("container_spec_")} - {"container_spec_cpu_quota"}
    assert names == specs | {"container_last_seen", "container_start_time_seconds"}


devices = st.builds(
    DeviceIo,
    major=st.integers(0, 3),
    minor=st.integers(0, 3),
    operation=st.sampled_from(["Read", "Write", "Sync"]),
    size_bytes=st.integers(0, 9),
)


@given(st.lists(devices, unique_by=lambda each: (each.major, each.minor, each.operation), max_size=12))
def test_no_device_comes_twice(found: list[DeviceIo]) -> None:
    _values(_details(devices=tuple(found)))


def test_labels_in_common() -> None:
    stats = SandboxStats(sandbox=sandbox(), usage=USAGE, process_count=1, interfaces=(interface(),))
    found = metrics.of_sandbox(stats, [_details()], _name)
    assert dict(zip(BASE_KEYS, found.labels, strict=True)) == {
        "pod": "web",
        "namespace": "prod",
        "container": "",
        "id": SANDBOX,
        "image": "",
    }
    (inside,) = found.containers
    assert isinstance(inside, ContainerMetrics)
    assert dict(zip(BASE_KEYS, inside.labels, strict=True)) == {
        "pod": "web",
        "namespace": "prod",
        "container": "main",
        "id": CONTAINER,
        "image": "registry/app:1",
    }
    assert MetricSample("container_network_transmit_errors_total", 6, ("eth0",)) in found.samples


def test_a_pod_on_the_hosts_network_has_no_samples_of_its_own() -> None:
    stats = SandboxStats(sandbox=sandbox(), usage=USAGE, process_count=1)
    assert metrics.of_sandbox(stats, [], _name).samples == ()
