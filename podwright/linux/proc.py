"""Processes as /proc shows them: telling a process from a later one with the same number, and its descendants."""

from __future__ import annotations

import contextlib
import os
import signal


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot (proc_pid_stat(5), field 22); None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[19])


def open_pidfd(pid: int, expected_start_time: int) -> int | None:
    """A pidfd of exactly that process; None when it has ended, whoever has the number now."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if start_time(pid) == expected_start_time:
        return fd
    os.close(fd)
    return None


def children(pid: int) -> list[int]:
    """The children of a process now; empty when it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    return found


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all its descendants. Each is stopped first, so that it cannot fork away."""
    family = [pid]
    for member in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGSTOP)
        family += children(member)
    for member in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
