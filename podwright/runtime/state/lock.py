"""One daemon per directory: a lock that the kernel lets go of when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os

from podwright.errors import FailedPrecondition


def hold(folder: str, *, flag: str) -> int:
    """Hold `folder`, which `flag` names on the command line, until the returned descriptor is closed.

    Raises FailedPrecondition when another daemon does, and OSError.
    """
    fd = os.open(f"{folder}/{flag.strip('-')}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        os.close(fd)
        raise FailedPrecondition(
            f"another podwright serves {folder}", hint=f"stop it, or choose another {flag}"
        ) from held
    return fd
