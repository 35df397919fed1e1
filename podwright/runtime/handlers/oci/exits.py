"""The exit code that the monitor of a container wrote down."""

from __future__ import annotations

import contextlib
import os
import time

from podwright.linux.files import write_new
from podwright.runtime.handlers.oci import conmon
from podwright.runtime.handlers.protocol import COMPLETED, ERROR, UNKNOWN, UNKNOWN_CODE, Exit


def read(path: str) -> Exit:
    """The end that the monitor recorded, without memory kills. Unknown/255 without a file.

    Raises OSError if the file exists and cannot be read.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            code = conmon.parse_exit_file(file.read(64))
            finished_at = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=time.time_ns())
    return Exit(code=code, reason=ERROR if code else COMPLETED, finished_at=finished_at)


def write(path: str, wait_status: int) -> None:
    """Leave the exit code of a wait status where `read` looks for it, unless the monitor has done so."""
    code = os.waitstatus_to_exitcode(wait_status)
    with contextlib.suppress(OSError):  # without it the end is Unknown, which is true as well
        write_new(path, str(code if code >= 0 else 128 - code).encode(), mode=0o600)
