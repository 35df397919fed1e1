"""How a container ended: its exit code and the reason that CRI shows. Pure but for reading the exit file."""

from __future__ import annotations

import os
from dataclasses import dataclass

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


def read(path: str, *, oom_kills: int, now: int) -> Exit:
    """The end that the monitor wrote down, or Unknown/255 when it left no exit file."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            code = conmon.parse_exit_file(file.read(64))
            finished_at = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=now)
    return Exit(code=code, reason=reason_of(code, oom_kills), finished_at=finished_at)


def reason_of(code: int, oom_kills: int) -> str:
    """CRI's reason. The kernel's count of memory kills tells why a container failed, not that it failed."""
    if code == 0:
        return COMPLETED
    return OOM_KILLED if oom_kills else ERROR
