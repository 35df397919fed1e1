"""The log file of a container."""

from __future__ import annotations

import contextlib
import os
import stat
import sys

LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LOG_MODE = 0o640


class Log:
    """The file of one container. A full disk loses output. It does not stop the container."""

    def __init__(self, path: str, limit_bytes: int = 0) -> None:
        """An empty path drops the output, and so does a `limit_bytes` that is reached. Raises OSError."""
        self._path = path
        self._room_bytes = limit_bytes or sys.maxsize
        self._fd = self._open() if path else -1

    def _open(self) -> int:
        fd = os.open(self._path, LOG_FLAGS, LOG_MODE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(f"{self._path} is not a file")
        return fd

    def write(self, data: bytes) -> None:
        """Append it."""
        if self._fd < 0 or len(data) > self._room_bytes:
            return
        self._room_bytes -= len(data)
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def reopen(self) -> None:
        """Raises OSError. The old file is written on then."""
        if self._fd < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(self._fd)):
                return
        new = self._open()
        os.close(self._fd)
        self._fd = new

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
