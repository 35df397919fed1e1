"""Making a container's log file before anybody writes to it."""

from __future__ import annotations

import errno
import os
import stat

from podwright.errors import FailedPrecondition

MODE = 0o640  # log collectors read by their group


def make(log_path: str) -> None:
    """Make the file with its directories. A link in its place is removed, wherever it leads.

    Raises FailedPrecondition, and OSError when the disk is full.
    """
    try:
        os.makedirs(os.path.dirname(log_path), mode=0o755, exist_ok=True)
        if os.path.islink(log_path):
            os.unlink(log_path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(log_path, flags, MODE)
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        os.close(fd)
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FailedPrecondition(f"log {log_path}: {failure.strerror}") from failure
    if not regular:
        raise FailedPrecondition(f"log {log_path} is not a file")
