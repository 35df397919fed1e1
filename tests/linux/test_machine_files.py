"""Files that describe the machine: tables of what they say, and this machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.linux import machine_files


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", {}),
        ("MemTotal:       16 kB\nHugePages_Total:       3\n", {"MemTotal": 16384}),
        ("Active(file):    2 kB\nSwapFree: 0 kB\n", {"Active(file)": 2048, "SwapFree": 0}),
        ("Node 0 MemTotal:       16 kB\nNode 0 MemFree: 1 kB", {"MemTotal": 16384, "MemFree": 1024}),
        ("MemTotal: many kB\n", {}),
    ],
)
def test_meminfo(content: str, found: dict[str, int]) -> None:
    assert machine_files.meminfo(content) == found


@pytest.mark.parametrize(
    ("contents", "limit"), [([], None), (["", "x"], None), (["4194304\n", "63497\n"], 63497), (["", "5"], 5)]
)
def test_the_lower_limit_on_tasks_counts(contents: list[str], limit: int | None) -> None:
    assert machine_files.task_limit(contents) == limit


def test_a_file_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert machine_files.read_text(str(tmp_path / "none")) == ""
    assert machine_files.read_text(str(tmp_path)) == ""
    (tmp_path / "file").write_bytes(b"a\xff")
    assert machine_files.read_text(str(tmp_path / "file")) == "a\ufffd"


def test_this_machine() -> None:
    assert machine_files.meminfo(machine_files.read_text("/proc/meminfo"))["MemTotal"] > 2**20
    limits = [machine_files.read_text(f"/proc/sys/kernel/{name}") for name in machine_files.TASK_LIMITS]
    assert (machine_files.task_limit(limits) or 0) > 100
