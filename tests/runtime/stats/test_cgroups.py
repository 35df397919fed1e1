"""The files of cgroups as kernels write them: a v1 host with a v2 tree beside it, and a v2 host."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux.cgroup import CgroupHost
from podwright.linux.pressure import StallTimes
from podwright.runtime.model.usage import (
    UINT64_MAX,
    CpuTimes,
    DeviceIo,
    HugePageUsage,
    MemoryDetails,
    MemoryUsage,
    Pids,
    SwapUsage,
)
from podwright.runtime.stats.cgroups import CgroupReader
from podwright.runtime.stats.v1 import Read

FIXTURES = Path(__file__).parent / "fixtures"
CONTROLLERS = ("cpu", "cpuacct", "memory", "blkio", "pids", "hugetlb")
HYBRID = CgroupHost(
    layout="hybrid",
    controllers={name: str(FIXTURES / "hybrid" / name) for name in CONTROLLERS},
    unified=str(FIXTURES / "hybrid/unified"),
)
V1 = CgroupHost(layout="v1", controllers=HYBRID.controllers)
V2 = CgroupHost(layout="v2", unified=str(FIXTURES / "v2"))
NOTHING = CgroupHost(layout="none")
HOSTS = {"hybrid": HYBRID, "v1": V1, "v2": V2}
PATH = "/app"


def _read(path: str) -> bytes:
    file = Path(path)
    return file.read_bytes() if file.is_file() else b""


def _reader(host: CgroupHost, read: Read = _read) -> CgroupReader:
    return CgroupReader(host, read, pressure=True, page_sizes=("2MB", "1GB"))


MEMORY = MemoryUsage(
    usage_bytes=31817728,
    working_set_bytes=31817728 - 15118336,
    rss_bytes=49152,
    page_faults=683,
    major_page_faults=3,
    limit_bytes=33554432,
)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_memory(host: CgroupHost) -> None:
    usage = _reader(host).usage(PATH)
    assert usage is not None
    assert usage.memory == MEMORY
    assert usage.memory.available_bytes == 33554432 - (31817728 - 15118336)


@pytest.mark.parametrize(("name", "cpu_ns"), [("hybrid", 1075048078), ("v1", 1075048078), ("v2", 1075048000)])
def test_cpu(name: str, cpu_ns: int) -> None:
    usage = _reader(HOSTS[name]).usage(PATH)
    assert usage is not None
    assert usage.cpu_ns == cpu_ns
    assert usage.nano_cores is None  # one sample has no rate


@pytest.mark.parametrize(
    ("name", "swap"),
    [
        ("v1", SwapUsage(usage_bytes=0, available_bytes=50331648 - 31817728)),
        ("v2", SwapUsage(usage_bytes=4096, available_bytes=16777216 - 4096)),
    ],
)
def test_swap(name: str, swap: SwapUsage) -> None:
    usage = _reader(HOSTS[name]).usage(PATH)
    assert usage is not None
    assert usage.swap == swap


@pytest.mark.parametrize("name", ["hybrid", "v2"])
def test_pressure(name: str) -> None:
    usage = _reader(HOSTS[name]).usage(PATH)
    assert usage is not None
    assert usage.cpu_psi
    assert usage.memory_psi
    assert usage.io_psi
    assert usage.cpu_psi.some == StallTimes(total_ns=2127562000, avg10=12.47, avg60=3.17, avg300=0.7)
    assert usage.memory_psi.full.total_ns == 10572000
    assert usage.io_psi.some.total_ns == 20612000


def test_no_pressure_without_a_v2_tree() -> None:
    usage = _reader(V1).usage(PATH)
    assert usage is not None
    assert (usage.cpu_psi, usage.memory_psi, usage.io_psi) == (None, None, None)


def test_no_limit() -> None:
    def unlimited(path: str) -> bytes:
        name = path.rpartition("/")[2]
        huge = {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}
        return b"9223372036854771712\n" if name in huge else b"max\n" if name.endswith(".max") else _read(path)

    for host in HOSTS.values():
        usage = _reader(host, unlimited).usage(PATH)
        assert usage is not None
        assert usage.memory
        assert usage.swap
        assert usage.memory.available_bytes is None
        assert usage.swap.available_bytes is None


def test_a_working_set_is_never_negative() -> None:
    def emptied(path: str) -> bytes:  # between the two reads
        return b"4096\n" if path.endswith(("memory.current", "memory.usage_in_bytes")) else _read(path)

    for host in HOSTS.values():
        usage = _reader(host, emptied).usage(PATH)
        assert usage is not None
        assert usage.memory
        assert usage.memory.working_set_bytes == 0


@pytest.mark.parametrize("host", [*HOSTS.values(), NOTHING], ids=[*HOSTS, "nothing"])
def test_a_cgroup_that_is_not_there(host: CgroupHost) -> None:
    reader = _reader(host)
    assert reader.usage("/gone") is None
    assert reader.pids("/gone") is None
    assert reader.tasks("/gone") == 0
    assert not reader.devices("/gone")
    assert not reader.huge_pages("/gone")


def test_cpu_times() -> None:
    common = {"periods": 56, "throttled_periods": 53}
    assert _reader(V1).cpu_times(PATH) == CpuTimes(
        user_ns=1111965368, system_ns=104000000, throttled_ns=3428788253, **common
    )
    assert _reader(V2).cpu_times(PATH) == CpuTimes(
        user_ns=971048000, system_ns=104000000, throttled_ns=3428788000, **common
    )


def test_memory_details() -> None:
    v1 = MemoryDetails(
        cache_bytes=31600640,
        kernel_bytes=438272,
        mapped_file_bytes=0,
        swap_bytes=0,
        active_file_bytes=16482304,
        inactive_file_bytes=15118336,
        max_usage_bytes=33554432,
        limit_hits=62,
        oom_kills=0,
        own_page_faults=683,
        own_major_page_faults=3,
    )
    assert _reader(V1).memory_details(PATH) == v1
    v2 = msgspec.structs.asdict(v1)
    assert _reader(V2).memory_details(PATH) == MemoryDetails(
        **{**v2, "mapped_file_bytes": 8192, "swap_bytes": 4096, "oom_kills": 1}
    )


def test_memory_details_of_older_kernels() -> None:
    def older(path: str) -> bytes:
        if path.endswith("memory.peak"):
            return b""
        return _read(path).replace(b"\nkernel 438272", b"")

    details = _reader(V2, older).memory_details(PATH)
    assert details is not None
    assert details.max_usage_bytes == 31817728
    assert details.kernel_bytes == 371584 + 16384


def test_devices() -> None:
    read = DeviceIo(major=253, minor=0, operation="Read", size_bytes=1523712, requests=62)
    write = DeviceIo(major=253, minor=0, operation="Write", size_bytes=41943040, requests=81)
    for host in HOSTS.values():
        devices = _reader(host).devices(PATH)
        assert read in devices
        assert write in devices
        assert len(devices) == len({(each.major, each.minor, each.operation) for each in devices})
    assert {each.operation for each in _reader(V1).devices(PATH)} == {"Read", "Write", "Sync", "Async", "Discard"}


def test_devices_that_bfq_counts() -> None:
    def bfq(path: str) -> bytes:
        return b"Total 0\n" if ".throttle." in path else _read(path.replace(".bfq.", ".throttle."))

    assert _reader(V1, bfq).devices(PATH) == _reader(V1).devices(PATH)


def test_huge_pages() -> None:
    assert _reader(V1).huge_pages(PATH) == (HugePageUsage(page_size="2MB", usage_bytes=0, max_usage_bytes=0),)
    assert _reader(V2).huge_pages(PATH) == (HugePageUsage(page_size="2MB", usage_bytes=2097152),)


def test_pids() -> None:
    assert _reader(V1).pids(PATH) == Pids(tasks=2, limit=0)
    assert _reader(V2).pids(PATH) == Pids(tasks=2, limit=1024)
    assert _reader(V2).tasks(PATH) == 2


words = st.sampled_from(
    [b"usage_usec", b"anon", b"total_rss", b"inactive_file", b"8:0", b"Read", b"rios=", b"some", b"max"]
)
numbers = st.integers(0, 2**66).map(lambda value: str(value).encode())
garbage = st.lists(words | numbers | st.binary(max_size=8) | st.just(b"\n"), max_size=12).map(b" ".join)


@given(garbage | numbers, garbage, st.sampled_from(sorted(HOSTS)))
def test_garbage_in_the_files_raises_nothing(first: bytes, second: bytes, name: str) -> None:
    reader = _reader(HOSTS[name], lambda path: first if len(path) % 2 else second)
    usage = reader.usage(PATH)
    memory = usage.memory if usage else None
    if memory is not None:
        assert 0 <= memory.working_set_bytes <= memory.usage_bytes <= UINT64_MAX
    details = (reader.cpu_times(PATH), reader.memory_details(PATH), reader.pids(PATH))
    for struct in (*details, *reader.devices(PATH), *reader.huge_pages(PATH)):
        values = msgspec.structs.astuple(struct) if struct else ()
        assert all(0 <= value <= UINT64_MAX for value in values if isinstance(value, int))
