"""The machine's own numbers, from texts of /proc."""

from __future__ import annotations

import pytest

from podwright.agent.stats import machine_usage
from podwright.agent.stats.records import Interface, Rlimit, SummaryMemory, Swap, moment
from podwright.linux.machine_files import read_text

AT = moment(1_700_000_000 * 10**9)
FILES = {
    "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nCached: 180 kB\nActive(file): 70 kB\n"
    "Inactive(file): 100 kB\nAnonPages: 200 kB\nMapped: 30 kB\n"
    "SwapTotal: 50 kB\nSwapFree: 20 kB\n",
    "/proc/vmstat": "pgfault 12\npgmajfault 3\n",
    "/proc/net/dev": "Inter-| Receive\n face |bytes\n"
    "    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n"
    "  ens3: 100 2 5 0 0 0 0 0 200 4 6 0 0 0 0 0\n"
    " veth1: 9 2 0 0 0 0 0 0 9 4 0 0 0 0 0 0\n",
    "/proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "ens3\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    "/proc/sys/kernel/pid_max": "4194304\n",
    "/proc/sys/kernel/threads-max": "100\n",
    "/proc/loadavg": "1.36 3.49 4.53 2/3518 3715089\n",
    "/proc/stat": "cpu  100 20 30 900 40 5 6 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\nbtime 1699999999\n",
}


def read(path: str) -> str:
    return FILES.get(path, "")


def nothing(_: str) -> str:
    return ""


def test_memory() -> None:
    kib = 1024
    assert machine_usage.memory(read, AT) == SummaryMemory(
        time=AT,
        available_bytes=400 * kib,
        usage_bytes=700 * kib,
        working_set_bytes=600 * kib,
        rss_bytes=200 * kib,
        page_faults=12,
        major_page_faults=3,
    )
    assert machine_usage.swap(read, AT) == Swap(time=AT, swap_available_bytes=20 * kib, swap_usage_bytes=30 * kib)


def test_details() -> None:
    found = machine_usage.details(read)
    ticks = machine_usage.TICKS_PER_S
    assert (found.user_s * ticks, found.system_s * ticks) == pytest.approx((120, 41))
    sizes = (found.memory_bytes, found.swap_bytes, found.cache_bytes, found.mapped_file_bytes)
    assert sizes == (1000 * 1024, 50 * 1024, 180 * 1024, 30 * 1024)
    assert (found.active_file_bytes, found.inactive_file_bytes) == (70 * 1024, 100 * 1024)
    assert machine_usage.details(nothing).user_s == 0


def test_network_without_pods_links() -> None:
    found = machine_usage.network(read, AT)
    assert found is not None
    ens3 = Interface(name="ens3", rx_bytes=100, rx_errors=5, tx_bytes=200, tx_errors=6)
    assert found.interfaces == (ens3,)
    assert (found.name, found.rx_bytes, found.tx_errors) == ("ens3", 100, 6)


def test_process_ids_and_start() -> None:
    assert machine_usage.pids(read, AT) == Rlimit(time=AT, maxpid=100, curproc=3518)
    assert machine_usage.boot_time_s(read) == 1_699_999_999


def test_a_machine_that_tells_nothing() -> None:
    assert machine_usage.memory(nothing, AT) is None
    assert machine_usage.swap(nothing, AT) is None
    assert machine_usage.network(nothing, AT) is None
    assert machine_usage.pids(nothing, AT) == Rlimit(time=AT)
    assert machine_usage.boot_time_s(nothing) == 0


@pytest.mark.parametrize("text", ["", "x", "a\nb\n eth0: 1 2", "a\nb\n eth0: x y z"])
def test_odd_interfaces(text: str) -> None:
    assert machine_usage.interfaces(text) == ()


def test_this_machine() -> None:
    memory = machine_usage.memory(read_text, AT)
    assert memory is not None
    assert memory.working_set_bytes is not None
    assert memory.usage_bytes is not None
    assert 0 < memory.working_set_bytes <= memory.usage_bytes
    pids = machine_usage.pids(read_text, AT)
    assert pids.curproc is not None
    assert pids.maxpid is not None
    assert 1 < pids.curproc < pids.maxpid
