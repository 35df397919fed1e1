"""Descriptors, sockets and limits of this very process."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

from podwright.runtime.stats import processes


def test_this_process(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.procs").write_text("")
    (tmp_path / "below/cgroup.procs").write_text(f"{os.getpid()}\n")
    before = processes.look(str(tmp_path), os.getpid())
    with socket.socket(), (tmp_path / "file").open("w"):
        during = processes.look(str(tmp_path), os.getpid())
    assert before.count == during.count == 1
    assert during.file_descriptors == before.file_descriptors + 2
    assert during.sockets == before.sockets + 1
    assert during.max_open_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_processes_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("4194305\nrubbish\n\n")  # above the highest PID there can be
    found = processes.look(str(tmp_path), 4194305)
    assert (found.count, found.file_descriptors, found.sockets, found.max_open_files) == (1, 0, 0, None)


def test_a_cgroup_that_is_gone(tmp_path: Path) -> None:
    assert processes.look(str(tmp_path / "gone"), 4194305).count == 0
