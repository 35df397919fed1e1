"""What cgroups' files say, on both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.stats.cgroup_usage import psi_of, usage
from podwright.agent.stats.records import Io, Psi, SummaryCpu, SummaryMemory, SummaryPsi, Swap, moment
from podwright.agent.stats.system_parts import cgroup_in
from podwright.linux.cgroup import CgroupHost

AT = moment(1_700_000_000 * 10**9)
PRESSURE = "some avg10=1.50 avg60=0.10 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n"
PSI = Psi(some=SummaryPsi(avg10=1.5, avg60=0.1, total=12_000), full=SummaryPsi(total=3_000))


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_version_2(tmp_path: Path) -> None:
    write(
        tmp_path / "pods",
        cpu__stat="usage_usec 5\nuser_usec 3\n",
        memory__current="1000\n",
        memory__stat="anon 300\ninactive_file 100\npgfault 7\npgmajfault 1\n",
        memory__max="5000\n",
        memory__swap__current="10\n",
        memory__swap__max="max\n",
        cpu__pressure=PRESSURE,
        memory__pressure=PRESSURE,
        io__pressure=PRESSURE,
    )
    host = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory", "cpu"}))
    found = usage(host, "/pods", AT, with_pressure=True)
    assert found is not None
    assert found.cpu == SummaryCpu(time=AT, usage_core_nano_seconds=5000, psi=PSI)
    assert found.memory == SummaryMemory(
        time=AT,
        available_bytes=4100,
        usage_bytes=1000,
        working_set_bytes=900,
        rss_bytes=300,
        page_faults=7,
        major_page_faults=1,
        psi=PSI,
    )
    assert found.swap == Swap(time=AT, swap_usage_bytes=10)
    assert found.io == Io(time=AT, psi=PSI)
    assert usage(host, "/none", AT, with_pressure=True) is None


def test_version_1(tmp_path: Path) -> None:
    write(tmp_path / "cpuacct" / "pods", cpuacct__usage="77\n")
    write(
        tmp_path / "memory" / "pods",
        memory__usage_in_bytes="1000\n",
        memory__limit_in_bytes="9223372036854771712\n",
        memory__memsw__usage_in_bytes="1200\n",
        memory__memsw__limit_in_bytes="9223372036854771712\n",
        memory__stat="total_rss 300\ntotal_inactive_file 2000\ntotal_pgfault 7\ninactive_file 5\n",
    )
    host = CgroupHost(
        layout="v1", controllers={"cpuacct": str(tmp_path / "cpuacct"), "memory": str(tmp_path / "memory")}
    )
    found = usage(host, "/pods", AT, with_pressure=False)
    assert found is not None
    assert found.cpu == SummaryCpu(time=AT, usage_core_nano_seconds=77)
    assert found.memory == SummaryMemory(
        time=AT, usage_bytes=1000, working_set_bytes=0, rss_bytes=300, page_faults=7, major_page_faults=0
    )
    assert found.swap == Swap(time=AT, swap_usage_bytes=200)
    assert found.io is None
    unmeasured = usage(host, "/pods", AT, with_pressure=True)
    assert unmeasured is not None
    assert unmeasured.cpu is not None
    assert unmeasured.memory is not None
    assert (unmeasured.cpu.psi, unmeasured.memory.psi, unmeasured.io) == (Psi(), Psi(), Io(time=AT, psi=Psi()))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Psi()),
        (PRESSURE, PSI),
        ("some avg10=x total=y\n", Psi()),
        ("some avg10=inf\n", Psi()),
        ("some total=1", Psi(some=SummaryPsi(total=1000))),
    ],
)
def test_pressure(text: str, found: Psi) -> None:
    assert psi_of(text.encode()) == found


@pytest.mark.parametrize(
    ("text", "v1", "path"),
    [
        ("0::/system.slice/agent.service\n", False, "/system.slice/agent.service"),
        ("4:memory:/m\n3:cpu,cpuacct:/c\n0::/u\n", True, "/m"),
        ("4:memory:/m\n0::/u\n", False, "/u"),
        ("", True, ""),
        ("odd", False, ""),
    ],
)
def test_the_cgroup_of_a_process(text: str, v1: bool, path: str) -> None:
    assert cgroup_in(text, v1=v1) == path
