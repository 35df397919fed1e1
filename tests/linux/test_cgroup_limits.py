"""Limits read from files as both versions of the kernel have them, and put back on a real cgroup."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.linux.cgroup_limits import lift_v1_cpu_quota, read_limits, set_huge_pages, write_limits

V1 = {
    "cpu.shares": "1024\n",
    "cpu.cfs_quota_us": "-1\n",
    "cpu.cfs_period_us": "100000\n",
    "cpuset.cpus": "0-1\n",
    "cpuset.mems": "0\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "hugetlb.2MB.limit_in_bytes": "0\n",
}
V2 = {
    "cpu.weight": "100\n",
    "cpu.max": "max 100000\n",
    "cpuset.cpus": "\n",
    "cpuset.mems": "\n",
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "hugetlb.1GB.max": "max\n",
    "hugetlb.2MB.max": "max\n",
}
MORE = {"memory.high": "max\n", "memory.stat": "anon 5\n", "pids.max": "max\n", "cpu.stat": "usage_usec 1\n"}
MIB = 1024 * 1024


def _host(root: Path, layout: str) -> CgroupHost:
    if layout == "v1":
        return CgroupHost(layout="v1", controllers=dict.fromkeys(("cpu", "cpuset", "memory", "hugetlb"), str(root)))
    held = frozenset({"cpu", "cpuset", "memory", "hugetlb"})
    return CgroupHost(layout="v2", unified=str(root), unified_controllers=held)


@pytest.fixture(params=["v1", "v2"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> CgroupHost:
    """One with the cgroup /c [x], a name that is also a pattern."""
    folder = tmp_path / "c [x]"
    folder.mkdir()
    for name, text in {**(V1 if request.param == "v1" else V2), **MORE}.items():
        (folder / name).write_text(text)
    return _host(tmp_path, request.param)


def _names(limits: dict[str, str]) -> dict[str, str]:
    return {os.path.basename(path): text for path, text in limits.items()}


def test_every_limit_is_read_and_nothing_else(host: CgroupHost) -> None:
    assert _names(read_limits(host, "/c [x]")) == (V1 if host.layout == "v1" else V2)
    assert read_limits(host, "/gone") == {}


def test_files_of_the_request_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "memory.high").write_text("max\n")
    limits = read_limits(_host(tmp_path, "v2"), "/c", ["memory.high", "memory.low"])
    assert _names(limits) == {"memory.high": "max\n"}


def test_what_differs_is_put_back_and_what_has_gone_is_told(host: CgroupHost) -> None:
    before = read_limits(host, "/c [x]")
    first, *_, last = sorted(before)
    Path(first).write_text(before[first].replace("0", "1"))
    Path(last).unlink()
    assert write_limits(before) == [last]
    assert {path: Path(path).read_text() for path in before if path != last} == {
        path: text for path, text in before.items() if path != last
    }


def test_huge_pages_of_one_size(host: CgroupHost) -> None:
    set_huge_pages(host, "/c [x]", [("2MB", 4 * MIB)])
    name = "hugetlb.2MB.limit_in_bytes" if host.layout == "v1" else "hugetlb.2MB.max"
    assert _names(read_limits(host, "/c [x]"))[name].startswith(str(4 * MIB))
    with pytest.raises(FileNotFoundError):
        set_huge_pages(host, "/c [x]", [("3MB", 0)])


@pytest.fixture
def real() -> Iterator[tuple[CgroupHost, str]]:
    """A cgroup of this host."""
    host, path = cgroup.detect(), f"/podwright-limits-{secrets.token_hex(4)}"
    for directory in host.directories(path):
        os.makedirs(directory)
    yield host, path
    cgroup.remove(host, path)


@pytest.mark.root
def test_limits_that_must_not_pass_one_another(real: tuple[CgroupHost, str]) -> None:
    """Memory alone never exceeds memory with swap: lower and raise both."""
    host, path = real
    if "memory" not in host.controllers:
        pytest.skip("v2 counts swap by itself")
    directory = Path(host.directory(path, "memory") or "")
    files = [directory / name for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")]
    for size in (64, 128, 32):
        wanted = {str(file): f"{size * MIB}\n" for file in files if file.exists()}
        assert write_limits(wanted) == []
        assert {path: Path(path).read_text() for path in wanted} == wanted


@pytest.mark.root
def test_no_quota_any_more(real: tuple[CgroupHost, str]) -> None:
    host, path = real
    if "cpu" not in host.controllers:
        pytest.skip("v2 needs no help")
    quota = Path(host.directory(path, "cpu") or "") / "cpu.cfs_quota_us"
    quota.write_text("5000")
    lift_v1_cpu_quota(host, path)
    assert quota.read_text() == "-1\n"
