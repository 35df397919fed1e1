"""How a container ended: exit files and memory kills, as tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.runtime.container import exits


@pytest.mark.parametrize(
    ("text", "oom_killed", "code", "reason"),
    [
        ("0", False, 0, "Completed"),
        ("3\n", False, 3, "Error"),
        ("137", True, 137, "OOMKilled"),
        ("137", False, 137, "Error"),
        ("0", True, 0, "OOMKilled"),
        ("nonsense", False, 255, "Error"),
    ],
    ids=["good", "bad", "out of memory", "killed", "a child was out of memory", "spoiled file"],
)
def test_ends(tmp_path: Path, text: str, oom_killed: bool, code: int, reason: str) -> None:
    file = tmp_path / "exit"
    file.write_text(text)
    end = exits.read(str(file), oom_killed=oom_killed, now=1)
    assert (end.code, end.reason, end.finished_at) == (code, reason, file.stat().st_mtime_ns)


def test_no_exit_file() -> None:
    end = exits.read("/no/such/file", oom_killed=True, now=7)
    assert (end.code, end.reason, end.finished_at) == (255, "Unknown", 7)


def test_the_monitor_tells_of_memory_kills_when_the_cgroup_has_gone(tmp_path: Path) -> None:
    oom_file = tmp_path / "oom"
    assert not exits.had_oom_kill(None, str(oom_file))
    assert exits.had_oom_kill(2, str(oom_file))
    oom_file.touch()
    assert exits.had_oom_kill(None, str(oom_file))
    assert not exits.had_oom_kill(0, str(oom_file))  # conmon counts limits that were reached without a kill too
