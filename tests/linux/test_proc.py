"""What /proc tells of processes."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from podwright.linux import proc
from tests.linux.exhausted import no_descriptors

STAT = b"4711 (%s) %s 12 4711 4711 0 -1 4194304 " + b" ".join(b"%d" % number for number in range(10, 53))


@pytest.mark.parametrize("name", [b"sleep", b"a (b) c", b") Z 1 2", b"", b"\xff\n)"])
def test_names_are_no_fields(name: bytes) -> None:
    found = proc.parse_stat(STAT % (name, b"S"))
    assert (found.is_zombie, found.parent, found.start_time, found.wait_status) == (False, 12, 22, 52)


@pytest.mark.parametrize(("letter", "is_zombie"), [(b"R", False), (b"D", False), (b"T", False), (b"Z", True)])
def test_zombies(letter: bytes, is_zombie: bool) -> None:
    assert proc.parse_stat(STAT % (b"x", letter)).is_zombie is is_zombie


def test_a_process_may_exit_before_it_is_a_zombie() -> None:
    exiting = proc.parse_stat(STAT.replace(b"4194304", b"4194308") % (b"x", b"R"))
    assert (exiting.is_exiting, exiting.is_zombie) == (True, False)
    assert not proc.parse_stat(STAT % (b"x", b"R")).is_exiting


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_a_zombie_tells_its_exit_code(command: str, code: int) -> None:
    with subprocess.Popen(["sh", "-c", command]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        found = proc.stat(child.pid)
        assert found is not None
        assert (found.is_zombie, found.is_exiting, found.parent) == (True, True, os.getpid())
        assert os.waitstatus_to_exitcode(found.wait_status) == code
        assert proc.start_time(child.pid) is None
    assert proc.stat(child.pid) is None


def test_what_cannot_be_seen_is_not_taken_for_gone() -> None:
    began = proc.start_time(os.getpid())
    assert began is not None
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        proc.stat(os.getpid())
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        proc.open_pidfd(os.getpid(), began)


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_numbers_of_no_process(pid: int) -> None:
    assert proc.stat(pid) is None
    assert proc.open_pidfd(pid, 0) is None


def test_kill_takes_nobody_elses_number() -> None:
    with subprocess.Popen(["sleep", "100"]) as child:
        began = proc.start_time(child.pid)
        assert began is not None
        proc.kill(child.pid, began + 1)
        assert child.poll() is None
        proc.kill(child.pid, began)
        assert child.wait() == -signal.SIGKILL
    proc.kill(child.pid, began)
