"""cgroup layouts as tables, and a real cgroup of our own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost, judge_layout
from podwright.linux.mount import MountPoint, read_mounts
from podwright.process import Command, PosixProcessRunner
from tests.linux.exhausted import no_descriptors

V1 = frozenset({"cpu", "cpuacct", "memory", "pids"})


def _mount(filesystem: str, target: str) -> MountPoint:
    return MountPoint(
        mount_id=1, root="/", target=target, filesystem=filesystem, source="cgroup", propagation=frozenset()
    )


UNIFIED = _mount("cgroup2", "/sys/fs/cgroup")
SIDE = _mount("cgroup2", "/sys/fs/cgroup/unified")
MEMORY = _mount("cgroup", "/sys/fs/cgroup/memory")
CPU = _mount("cgroup", "/sys/fs/cgroup/cpu,cpuacct")
SYSTEMD = _mount("cgroup", "/sys/fs/cgroup/systemd")


def test_detection_reads_only_the_mounts_of_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[MountPoint] = []

    def recorded(*, containing: str = "") -> list[MountPoint]:
        read.extend(read_mounts(containing=containing))
        return read

    monkeypatch.setattr(cgroup, "read_mounts", recorded)
    found = cgroup.detect()
    assert len(read) < len(read_mounts())
    assert found.layout == judge_layout(read_mounts(), frozenset(), frozenset(found.controllers)).layout


@pytest.mark.parametrize(
    ("mounts", "layout", "memory"),
    [
        ([UNIFIED], "v2", "/sys/fs/cgroup/a/b"),
        ([MEMORY, CPU, SYSTEMD], "v1", "/sys/fs/cgroup/memory/a/b"),
        ([SIDE, MEMORY, CPU], "hybrid", "/sys/fs/cgroup/memory/a/b"),
        ([], "none", None),
        ([_mount("cgroup2", "/elsewhere")], "none", None),
    ],
    ids=["v2", "v1", "hybrid", "none", "foreign"],
)
def test_layouts(mounts: list[MountPoint], layout: str, memory: str | None) -> None:
    host = judge_layout(mounts, frozenset(), V1)
    assert host.layout == layout
    assert host.directory("/a/b", "memory") == memory


def test_joint_controllers_share_a_directory() -> None:
    host = judge_layout([MEMORY, CPU, SYSTEMD], frozenset(), V1)
    assert host.controllers["cpu"] == host.controllers["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert sorted(host.directories("/x")) == [
        "/sys/fs/cgroup/cpu,cpuacct/x",
        "/sys/fs/cgroup/memory/x",
        "/sys/fs/cgroup/systemd/x",
    ]


def test_a_controller_left_in_the_unified_hierarchy_of_a_hybrid_host() -> None:
    host = judge_layout([SIDE, MEMORY], frozenset({"hugetlb"}), V1)
    assert host.directory("/x", "hugetlb") == "/sys/fs/cgroup/unified/x"
    assert host.directory("/x", "pids") is None


@pytest.mark.root
async def test_kill_and_remove_a_real_one() -> None:
    host = cgroup.detect()
    path = f"/podwright-test-{os.getpid()}/child"
    process = PosixProcessRunner().start(Command(argv=("sleep", "100"), timeout_s=None))
    try:
        for directory in host.directories(path):
            os.makedirs(directory, exist_ok=True)
        directory = host.directory(path, "pids") or host.directories(path)[0]
        with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:  # a kernel file
            file.write(str(process.pid))
        assert cgroup.processes(host, os.path.dirname(path)) == {process.pid}
        assert await asyncio.to_thread(cgroup.kill_all, host, path)
        assert await process.wait() == -9
    finally:
        process.kill_group()
        await process.wait()
        cgroup.remove(host, os.path.dirname(path))
    assert not any(os.path.exists(directory) for directory in host.directories(os.path.dirname(path)))
    cgroup.remove(host, path)


@pytest.mark.root
async def test_a_number_that_now_means_another_process_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    process = PosixProcessRunner().start(Command(argv=("sleep", "100"), timeout_s=None))
    seen = iter([{process.pid}])  # the cgroup's file when it was read, a moment ago
    monkeypatch.setattr(cgroup, "processes", lambda host, path: next(seen, set()))
    try:
        assert cgroup.kill_all(CgroupHost(layout="none"), "/x")
        stat = proc.stat(process.pid)
        assert stat is not None
        assert not stat.is_zombie
        assert not stat.is_exiting
    finally:
        process.kill_group()
        await process.wait()


def test_readers_take_missing_and_odd_files() -> None:
    assert cgroup.read_number("/no/such/file") is None
    assert cgroup.read_table("/no/such/file") == {}
    assert cgroup.memory_held_bytes(CgroupHost(layout="none"), "/x") is None


def test_what_cannot_be_seen_is_not_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "cgroup.procs").write_text("7\n")
    host = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory"}))
    for look in (cgroup.processes, cgroup.kill_all, cgroup.remove, cgroup.memory_held_bytes):
        with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
            look(host, "/c")


V1_FILES = {
    "memory.usage_in_bytes": "1000\n",
    "memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
}
V2_FILES = {
    "memory.current": "1000\n",
    "memory.stat": "anon 5\ninactive_file 300\n",
}


@pytest.mark.parametrize("files", [V1_FILES, V2_FILES], ids=["v1", "v2"])
def test_memory_files(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / "c").mkdir()
    for name, text in files.items():
        (tmp_path / "c" / name).write_text(text)
    v1 = CgroupHost(layout="v1", controllers={"memory": str(tmp_path)})
    v2 = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory"}))
    host = v1 if files is V1_FILES else v2
    assert cgroup.memory_held_bytes(host, "/c") == 700


def test_processes_that_nobody_here_can_name(tmp_path: Path) -> None:
    """They are listed as 0, which kill(2) would take for the caller's own group."""
    (tmp_path / "c" / "below").mkdir(parents=True)
    (tmp_path / "c" / "cgroup.procs").write_text("0\n12\n0\n")
    (tmp_path / "c" / "below" / "cgroup.procs").write_text("13\n")
    assert cgroup.processes(CgroupHost(layout="v2", unified=str(tmp_path)), "/c") == {12, 13}


def test_limits_need_their_controller() -> None:
    v2 = CgroupHost(layout="v2", unified="/sys/fs/cgroup", unified_controllers=frozenset({"memory"}))
    assert (v2.has("memory"), v2.has("hugetlb")) == (True, False)
    hybrid = judge_layout([SIDE, MEMORY], frozenset({"hugetlb"}), V1)
    assert (hybrid.has("memory"), hybrid.has("hugetlb")) == (True, False)  # runtimes look for it among v1's
