"""One daemon per directory: a lock that the kernel releases when the process ends, for whatever reason."""

from __future__ import annotations

import fcntl
import os

from podwright.errors import FailedPrecondition

FOLDER_MODE = 0o711


def hold(folder: str, *, flag: str) -> int:
    """Make `folder` if need be, and lock it until the returned descriptor is closed.

    `flag` is the command line option that names the folder. Raises FailedPrecondition if another daemon holds the
    lock, or if the folder cannot be used.
    """
    try:
        os.makedirs(folder, mode=FOLDER_MODE, exist_ok=True)
        fd = os.open(f"{folder}/{flag.strip('-')}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise FailedPrecondition(
            f"cannot use {folder} as the daemon's {flag.strip('-')} directory: {failure.strerror}",
            hint=f"correct that, or choose another {flag}",
        ) from failure
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        os.close(fd)
        raise FailedPrecondition(
            f"another podwright daemon uses {folder}", hint=f"stop it, or choose another {flag}"
        ) from held
    return fd
