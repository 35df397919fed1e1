"""How a container ended: its exit code and the reason that CRI shows. Pure but for reading the exit file."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from podwright.linux.files import write_new
from podwright.runtime.handlers import conmon

COMPLETED = "Completed"
ERROR = "Error"
OOM_KILLED = "OOMKilled"
START_ERROR = "StartError"
UNKNOWN = "Unknown"

START_ERROR_CODE = 128
UNKNOWN_CODE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The end of a container; `finished_at` in nanoseconds since the epoch."""

    code: int
    reason: str
    finished_at: int


def read(path: str, *, oom_killed: bool, now: int) -> Exit:
    """The end that the monitor wrote down, or Unknown/255 when it left no exit file."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            code = conmon.parse_exit_file(file.read(64))
            finished_at = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=now)
    return Exit(code=code, reason=reason_of(code, oom_killed=oom_killed), finished_at=finished_at)


def write(path: str, wait_status: int) -> None:
    """Leave the exit code of a wait status where `read` looks for it, unless the monitor has done so."""
    code = os.waitstatus_to_exitcode(wait_status)
    with contextlib.suppress(OSError):  # without it the end is Unknown, which is true as well
        write_new(path, str(code if code >= 0 else 128 - code).encode(), mode=0o600)


def reason_of(code: int, *, oom_killed: bool) -> str:
    """CRI's reason. A memory kill is told whatever the code: it may have hit another process than the first."""
    if oom_killed:
        return OOM_KILLED
    return ERROR if code else COMPLETED


def had_oom_kill(kernel_count: int | None, oom_file: str) -> bool:
    """Whether the kernel killed for memory in the container's cgroup.

    `kernel_count` is None when the cgroup has gone, as systemd's go with their last process; the monitor, which
    listens while the container runs, left `oom_file` then.
    """
    return os.path.exists(oom_file) if kernel_count is None else kernel_count > 0
