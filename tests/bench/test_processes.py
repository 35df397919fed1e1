"""Memory and CPU time of processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.bench.processes import (
    TICKS_PER_S,
    cpu_s,
    daemon_family,
    listening_process,
    monitors,
    parse_cpu_s,
    parse_pss,
    pss_bytes,
    running_ns,
)

MARK = "0123456789abcdef-mark"


def test_pss_of_a_rollup() -> None:
    assert parse_pss("5581-7ffc ---p 00 00:00 0 [rollup]\nRss: 8 kB\nPss:   1234 kB\nPss_Dirty: 1 kB\n") == 1234 * 1024
    with pytest.raises(ValueError, match="no Pss"):
        parse_pss("Rss: 8 kB\n")


def test_our_own_pss() -> None:
    own = pss_bytes(os.getpid())
    assert own is not None
    assert own > 1024 * 1024


def test_the_pss_of_nobody() -> None:
    assert pss_bytes(2**22 + 1) is None


def test_who_listens(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert listening_process(f"unix://{path}") == os.getpid()


@pytest.fixture
def marked_process() -> Iterator[int]:
    """A process with MARK in its command line."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", MARK], start_new_session=True)
    while MARK not in Path(f"/proc/{child.pid}/cmdline").read_text():  # empty in the middle of an exec
        time.sleep(0.001)
    yield child.pid
    child.kill()
    child.wait()


def test_monitors_are_found_by_the_ids_in_their_command_lines(marked_process: int) -> None:
    assert monitors([MARK], without=()) == [marked_process]
    assert monitors([MARK], without=(marked_process,)) == []
    assert monitors(["no-such-id-anywhere"], without=()) == []
    assert monitors([], without=()) == []


def test_a_daemon_has_a_family_without_its_monitors(marked_process: int) -> None:
    assert marked_process in daemon_family(os.getpid())
    assert marked_process not in daemon_family(os.getpid(), without=(marked_process,))


def test_cpu_time_of_a_name_with_a_parenthesis() -> None:
    fields = [b"S", *[b"1"] * 10, b"100", b"20", b"3", b"4", *[b"9"] * 30]
    assert parse_cpu_s(b"7 (a) b) " + b" ".join(fields)) == pytest.approx(127 / TICKS_PER_S)


def test_cpu_time_grows_when_something_runs() -> None:
    before = running_ns(os.getpid())
    while running_ns(os.getpid()) == before:
        sum(range(10_000))
    assert cpu_s(os.getpid()) > 0


def test_the_cpu_time_of_nobody() -> None:
    assert (cpu_s(2**22 + 1), running_ns(2**22 + 1)) == (0, 0)
