"""Small files that are written once, and room for them."""

from __future__ import annotations

import errno
import os

LITTLE_BYTES = 64 * 1024


def check_space(folder: str) -> None:
    """Raise OSError (ENOSPC, with the folder's name) when next to nothing can be written there any more.

    For telling why a program failed that had to write there, without reading its words.
    """
    try:
        facts = os.statvfs(folder)
    except OSError:
        return
    if facts.f_bfree * facts.f_frsize < LITTLE_BYTES or (facts.f_files and not facts.f_ffree):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def make_private(path: str, *, group: int) -> None:
    """A new directory for root alone; a `group` other than root's may pass through it, but not list it.

    That is for the root of a pod with users of its own, as which OCI runtimes look for things. Raises OSError.
    """
    os.mkdir(path, 0o700)
    if group:
        os.chown(path, -1, group)
        os.chmod(path, 0o710)


def write_new(path: str, data: bytes, *, mode: int) -> None:
    """Create a file with exactly that mode, whatever the umask, or none. Raises OSError, which names the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
    except OSError as failure:
        os.unlink(path)
        failure.filename = path  # a failed write does not know it, and a full disk must be named
        raise
