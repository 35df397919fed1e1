"""One daemon per directory: a lock that the kernel releases when the process ends, for whatever reason."""

from __future__ import annotations

import fcntl
import os

from podwright.errors import FailedPrecondition


def hold(folder: str, *, flag: str) -> int:
    """Lock `folder` until the returned descriptor is closed. `flag` is the command line option that names the folder.

    Raises FailedPrecondition if another daemon holds the lock, and OSError.
    """
    fd = os.open(f"{folder}/{flag.strip('-')}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        os.close(fd)
        raise FailedPrecondition(
            f"another podwright daemon uses {folder}", hint=f"stop it, or choose another {flag}"
        ) from held
    return fd
