"""The machine's rows of `/metrics/cadvisor`, from texts of /proc and this host's own."""

from __future__ import annotations

import os
from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.metrics.prometheus import Family, Sample, exposition
from podwright.agent.stats import cadvisor_metrics, machine_rows
from podwright.agent.stats.machine_disks import (
    COLUMNS,
    DiskCounters,
    MachineDisk,
    machine_disks,
    on_disks,
    parse_diskstats,
)
from podwright.agent.stats.machine_usage import MachineDetails
from podwright.agent.stats.records import (
    Fs,
    Interface,
    Io,
    NodeStats,
    Psi,
    SummaryCpu,
    SummaryMemory,
    SummaryNetwork,
    SummaryPsi,
    moment,
)
from podwright.linux.machine_files import read_text
from podwright.linux.mount import parse_mountinfo, read_mounts

AT = moment(1_700_000_000 * 10**9)
LINE = " 254       1 vda1 1 2 3 4000 5 6 7 8000 9 10000 11000 12 0 13 14 15 16\n"
COUNTERS = DiskCounters(
    reads=1,
    reads_merged=2,
    sectors_read=3,
    read_ms=4000,
    writes=5,
    writes_merged=6,
    sectors_written=7,
    write_ms=8000,
    in_progress=9,
    io_ms=10000,
    weighted_io_ms=11000,
)
SPACE = Fs(time=AT, capacity_bytes=100, used_bytes=60, inodes=50, inodes_free=20)
DETAILS = MachineDetails(
    user_s=1.5,
    system_s=0.5,
    memory_bytes=1000,
    swap_bytes=0,
    cache_bytes=180,
    mapped_file_bytes=30,
    active_file_bytes=70,
    inactive_file_bytes=100,
)
NODE = NodeStats(
    node_name="n",
    start_time=AT,
    cpu=SummaryCpu(time=AT, usage_core_nano_seconds=2 * 10**9, psi=Psi(some=SummaryPsi(total=10**9))),
    memory=SummaryMemory(time=AT, usage_bytes=700, working_set_bytes=600, page_faults=12, major_page_faults=3),
    io=Io(time=AT),
    network=SummaryNetwork(time=AT, name="ens3", interfaces=(Interface(name="ens3", rx_bytes=8),)),
)
# The node suite's case ContainerMetrics wants a row of each, whoever's it is.
WANTED = (
    "io_current",
    "io_time_seconds_total",
    "io_time_weighted_seconds_total",
    "inodes_free",
    "inodes_total",
    "limit_bytes",
    "usage_bytes",
    "read_seconds_total",
    "reads_merged_total",
    "sector_reads_total",
    "sector_writes_total",
    "write_seconds_total",
    "writes_merged_total",
)


def test_diskstats() -> None:
    short = "   7       0 loop0 1 2 3\n"
    assert parse_diskstats(LINE + short) == {(254, 1): COUNTERS}


@given(st.text())
def test_diskstats_of_any_text(text: str) -> None:
    for counters in parse_diskstats(f"1 2 {text}\n{text}").values():
        assert len(astuple(counters)) == COLUMNS


def test_a_device_counts_once_and_fuse_never() -> None:
    mounts = parse_mountinfo(
        "1 0 254:1 / / rw - ext4 /dev/vda1 rw\n"
        "2 1 0:5 / /dev rw - devtmpfs devtmpfs rw\n"
        "3 1 254:1 /data /var/lib/data rw - ext4 /dev/vda1 rw\n"
        "4 1 254:2 / /mnt/a\\040b rw - xfs /dev/mapper/vg-b rw\n"
        "5 1 254:3 / /usb rw - fuseblk /dev/sdb1 rw\n"
    )
    assert on_disks(mounts) == {"/dev/vda1": "/", "/dev/mapper/vg-b": "/mnt/a b"}


def test_this_host_s_disks() -> None:
    """The root's disk, on hosts whose root is on one."""
    found = {each.device: each for each in machine_disks(read_text, AT)}
    root = os.statvfs("/")
    for device in on_disks(mount for mount in read_mounts() if mount.target == "/"):
        assert found[device].space.capacity_bytes == root.f_blocks * root.f_frsize


def test_rows() -> None:
    disks = [MachineDisk(device="/dev/vda1", space=SPACE, io=COUNTERS)]
    text = exposition(machine_rows.of_machine(NODE, DETAILS, disks, AT)).decode()
    machine = 'container="",id="/",image="",name="",namespace="",pod=""'
    rows = {
        f'container_cpu_usage_seconds_total{{{machine},cpu="total"}} 2',
        f"container_cpu_user_seconds_total{{{machine}}} 1.5",
        f"container_memory_working_set_bytes{{{machine}}} 600",
        f"container_memory_cache{{{machine}}} 180",
        f'container_memory_failures_total{{{machine},failure_type="pgmajfault",scope="hierarchy"}} 3',
        f"container_pressure_cpu_waiting_seconds_total{{{machine}}} 1",
        f"container_spec_memory_limit_bytes{{{machine}}} 1000",
        f"container_start_time_seconds{{{machine}}} 1700000000",
        f'container_network_receive_bytes_total{{{machine},interface="ens3"}} 8',
        f'container_fs_inodes_total{{{machine},device="/dev/vda1"}} 50',
        f'container_fs_usage_bytes{{{machine},device="/dev/vda1"}} 60',
        f'container_fs_reads_bytes_total{{{machine},device="/dev/vda1"}} 1536',
        f'container_fs_sector_writes_total{{{machine},device="/dev/vda1"}} 7',
        f'container_fs_io_current{{{machine},device="/dev/vda1"}} 9',
        f'container_fs_io_time_weighted_seconds_total{{{machine},device="/dev/vda1"}} 11',
        "# TYPE container_fs_inodes_total gauge",
        "# TYPE container_fs_io_current gauge",
        "# TYPE container_fs_sector_reads_total counter",
    }
    assert rows - set(text.splitlines()) == set()
    assert [name for name in WANTED if f"container_fs_{name}{{" not in text] == []


def test_a_disk_without_counters_has_its_space() -> None:
    text = exposition(
        machine_rows.of_machine(NODE, DETAILS, [MachineDisk(device="/dev/root", space=SPACE, io=None)], AT)
    ).decode()
    assert 'device="/dev/root"} 100\n' in text
    assert "container_fs_io_current" not in text


def test_families_of_one_name_become_one() -> None:
    first = Family(name="a", kind="counter", help="first", samples=(Sample(value=1, labels={"id": "/"}),))
    second = Family(name="a", kind="gauge", help="second", samples=(Sample(value=2, labels={"id": "x"}),))
    other = Family(name="b", kind="gauge", help="b", samples=(Sample(value=3),))
    assert exposition(cadvisor_metrics.merged([first, other, second])).decode() == (
        '# HELP a first\n# TYPE a counter\na{id="/"} 1\na{id="x"} 2\n# HELP b b\n# TYPE b gauge\nb 3\n'
    )
