"""Processes in /proc: identifies a process despite reuse of PIDs, and finds its descendants."""

from __future__ import annotations

import contextlib
import errno
import os
import signal

import msgspec

PF_EXITING = 0x4  # linux/sched.h
NO_PROCESS = frozenset({errno.ESRCH, errno.EINVAL})  # EINVAL: not a valid PID, such as 0


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """The content of proc_pid_stat(5). `start_time` is in clock ticks since boot.

    `wait_status` is what the parent will read once the process is a zombie (field 52). A process with `is_exiting`
    (field 9) has run its last instruction, but may not be a zombie yet. In between it leaves its namespaces.
    """

    is_zombie: bool
    is_exiting: bool
    parent: int
    start_time: int
    wait_status: int


def parse_stat(data: bytes) -> Stat:
    """Parse the text of a /proc/PID/stat. The name in it may contain anything, including a closing parenthesis."""
    fields = data.rpartition(b")")[2].split()
    return Stat(
        is_zombie=fields[0] in (b"Z", b"X"),
        is_exiting=bool(int(fields[6]) & PF_EXITING),
        parent=int(fields[1]),
        start_time=int(fields[19]),
        wait_status=int(fields[49]),
    )


def stat(pid: int) -> Stat | None:
    """The state of a process, or None if it does not exist. Raises OSError if it is not readable (EMFILE)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return parse_stat(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot, or None if it has ended."""
    found = stat(pid)
    return None if found is None or found.is_zombie else found.start_time


def open_pidfd(pid: int, expected_start_time: int) -> int | None:
    """A pidfd of exactly that process, or None if it has ended, even if its PID was reused. Raises OSError."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as failure:
        if failure.errno not in NO_PROCESS:
            raise
        return None
    try:
        is_same = start_time(pid) == expected_start_time
    except BaseException:
        os.close(fd)
        raise
    if is_same:
        return fd
    os.close(fd)
    return None


def kill(pid: int, expected_start_time: int) -> None:
    """SIGKILL exactly that process. Does nothing if it has ended."""
    fd = open_pidfd(pid, expected_start_time)
    if fd is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        os.close(fd)


def children(pid: int) -> list[int]:
    """The current children of a process. Empty if it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    return found


def set_oom_score_adj(pid: int, value: int) -> None:
    """Set oom_score_adj for a process and its descendants. Ended ones are skipped.

    Each one gets the value before its children are listed, because later children inherit it. A value that the kernel
    does not allow (below ours, without CAP_SYS_RESOURCE) is not set.
    """
    family = [pid]
    for member in family:
        with contextlib.suppress(OSError):
            fd = os.open(f"/proc/{member}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"%d" % value)
            finally:
                os.close(fd)
        family += children(member)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all its descendants. Each is stopped first, so that it cannot fork."""
    family = [pid]
    for member in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGSTOP)
        family += children(member)
    for member in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
