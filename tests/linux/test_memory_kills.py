"""Whom the kernel killed for memory: lines of its log as tables, and the log of this host."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux import memory_kills
from podwright.linux.cgroup import CgroupHost
from podwright.linux.memory_kills import Counters, Logged, Victim, parse
from tests.linux.exhausted import no_descriptors

LINE = (
    "[ 1090.5] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0,"
    "oom_memcg=/pods/a,task_memcg={group},task={name},pid={pid},uid=0"
)


def _line(group: str = "/pods/a", name: str = "dd", pid: int = 7) -> str:
    return LINE.format(group=group, name=name, pid=pid)


@pytest.mark.parametrize(
    ("log", "found"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("[ 1.0] Linux version 6.1\n", [], id="other lines"),
        pytest.param(_line(), [("/pods/a", "dd", 7)], id="one"),
        pytest.param(f"x\n<3>{_line()}\ny\n{_line(pid=8)}\n", [("/pods/a", "dd", 7), ("/pods/a", "dd", 8)], id="two"),
        pytest.param(_line(name="a b (c)"), [("/pods/a", "a b (c)", 7)], id="blanks in a name"),
        pytest.param(_line(name="x,pid=1,uid=0"), [("/pods/a", "x,pid=1,uid=0", 7)], id="a name like fields"),
        pytest.param(_line(name=""), [("/pods/a", "", 7)], id="no name"),
        pytest.param(_line()[:-6], [], id="cut off"),
        pytest.param(
            "[ 1.0] Memory cgroup out of memory: Killed process 7 (dd) total-vm:1kB, UID:0 pgtables:1kB\n",
            [],
            id="the line without a cgroup",
        ),
    ],
)
def test_lines_of_the_log(log: str, found: list[tuple[str, str, int]]) -> None:
    victims = tuple(Victim(cgroup=group, name=name, pid=pid) for group, name, pid in found)
    assert parse(log, "/pods/a") == Logged(victims=victims)


def test_kills_of_whole_groups() -> None:
    """One line for the group, and one with the process that asked for too much."""
    group = "[ 2.0] Tasks in {} are going to be killed due to memory.oom.group set\n"
    log = f"{_line('/pods/a/inner')}\n{group.format('/pods/a/inner')}{group.format('/pods/b')}"
    assert parse(log, "/pods/a") == Logged(victims=(Victim(cgroup="/pods/a/inner", name="dd", pid=7),), groups=1)
    assert parse(log, "/pods/c") == Logged()


@given(st.text())
def test_any_text_is_a_log(log: str) -> None:
    parse(log, "/pods/a")


@pytest.mark.parametrize(
    ("group", "is_below"),
    [
        ("/pods/a", True),
        ("/pods/a/inner", True),
        ("/of/the/host/pods/a", True),
        ("/pods/ab", False),
        ("/pods", False),
        ("/", False),
    ],
)
def test_victims_of_a_cgroup(group: str, is_below: bool) -> None:
    assert memory_kills.is_below(group, "pods/a/") is is_below


@pytest.mark.parametrize(
    ("version", "text", "counters"),
    [
        ("v1", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", Counters(processes=2)),
        ("v1", "oom_kill_disable 0\nunder_oom 0\n", None),  # before Linux 4.13
        ("v2", "low 0\nmax 8\noom 3\noom_kill 2\n", Counters(processes=2)),  # before Linux 5.17
        ("v2", "low 0\nmax 8\noom 3\noom_kill 4\noom_group_kill 1\n", Counters(processes=4, groups=1)),
    ],
)
def test_counters(tmp_path: Path, version: str, text: str, counters: Counters | None) -> None:
    (tmp_path / "c").mkdir()
    v1 = CgroupHost(layout="v1", controllers={"memory": str(tmp_path)})
    v2 = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory"}))
    host, name = (v1, "memory.oom_control") if version == "v1" else (v2, "memory.events")
    (tmp_path / "c" / name).write_text(text)
    assert memory_kills.counters(host, "/c") == counters
    assert memory_kills.counters(host, "/gone") is None
    assert memory_kills.counters(CgroupHost(layout="none"), "/c") is None
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        memory_kills.counters(host, "/c")


def test_a_cgroup_that_never_was_has_no_victims() -> None:
    assert memory_kills.logged("/no/such/cgroup") == Logged()
