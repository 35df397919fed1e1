"""Small files that are written once."""

from __future__ import annotations

import os


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
