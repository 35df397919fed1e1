"""A container's log file: created before the monitor opens it, and reopened after a rotation.

conmon (2.1, ctr_logging.c) opens `<path>.tmp` and renames it to the path. If that fails it exits, and the container
loses its stdio. If the path still has the current file, the earlier log is lost. So the directory and the file are
made here first, and a log that was not moved away is left alone. No line is lost: conmon writes what it has read to
one of the files, and continues reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import time

from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from podwright.linux.files import remove_file
from podwright.runtime.handlers.processes import log_files

REOPEN = b"2 0 0\n"  # conmon's control message: kind, and two numbers that only resizing uses
REOPEN_TIMEOUT_S = 10.0
RESEND_S = 0.25
POLL_S = 0.002


def check(log_path: str) -> None:
    """Raises InvalidArgument for a path that conmon cannot write to."""
    if ":" in os.path.basename(log_path):
        raise InvalidArgument(
            f"log_path {log_path[:200]!r}: the file's name contains a colon, at which conmon truncates it"
        )


def conmon_path(bundle: str, log_path: str) -> str:
    """The path of a log as conmon gets it, which cuts paths off at a colon: through `prepare`'s link, if need be."""
    return f"{bundle}/log/{os.path.basename(log_path)}" if ":" in log_path else log_path


def prepare(bundle: str, log_path: str) -> None:
    """Make the file with its directories before conmon starts, and the link to the directory that `conmon_path` needs.

    Raises as `log_files.make` does.
    """
    if not log_path:
        return
    log_files.make(log_path)
    if conmon_path(bundle, log_path) != log_path:
        link = f"{bundle}/log"
        remove_file(link)  # of a start that a crash interrupted
        os.symlink(os.path.dirname(log_path), link)


async def reopen(bundle: str, path: str, monitor_pid: int) -> None:
    """Return when the monitor writes to a new file at the log's `path`.

    Raises FailedPrecondition, OSError if the disk is full, and DeadlineExceeded. After a failure the old file stays
    in use.
    """
    if not path or writes_to(monitor_pid, path):
        return
    if os.path.isdir(path):
        raise FailedPrecondition(f"log {path} is not a file")
    log_files.make(f"{path}.tmp")
    try:
        control = os.open(f"{bundle}/ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failure:
        raise FailedPrecondition(f"the monitor of {path} does not listen: {failure.strerror}") from failure
    try:
        async with asyncio.timeout(REOPEN_TIMEOUT_S):
            await _ask_until(control, monitor_pid, path)
    except TimeoutError as late:
        raise DeadlineExceeded(f"log {path} was not reopened") from late
    finally:
        os.close(control)


async def _ask_until(control: int, monitor_pid: int, path: str) -> None:
    """Ask again when a message was read without effect: of several read at once, conmon takes the first for all."""
    asked_at = 0.0
    while not writes_to(monitor_pid, path):
        if time.monotonic() - asked_at > RESEND_S and not _unread_bytes(control):
            with contextlib.suppress(BlockingIOError):
                os.write(control, REOPEN)
            asked_at = time.monotonic()
        await asyncio.sleep(POLL_S)


def _unread_bytes(fifo: int) -> int:
    size: int = struct.unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, bytes(4)))[0]
    return size


def writes_to(pid: int, path: str) -> bool:
    """Whether a process has the file at `path` open. False if either does not exist."""
    with contextlib.suppress(OSError):
        wanted = os.stat(path)
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), wanted):
                    return True
    return False
