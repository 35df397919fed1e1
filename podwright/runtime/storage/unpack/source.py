"""The compressed blob, read while it is being downloaded.

The parent appends to the file and writes its length so far into a pipe, as 8-byte little-endian numbers. Closing the
pipe means that no more data will come. So the download never waits for the unpacking, and copies nothing for it.
"""

from __future__ import annotations

import os
import struct

from podwright.runtime.storage.unpack.failure import UnpackError

READ_BYTES = 1 << 20
MARK = struct.Struct("<Q")


class GrowingFile:
    """A file that grows to `expected_bytes`. `marks_fd` is the read end of the parent's pipe."""

    def __init__(self, fd: int, marks_fd: int, expected_bytes: int) -> None:
        self._fd = fd
        self._marks_fd = marks_fd
        self._expected_bytes = expected_bytes
        self._position = 0
        self._available = 0
        self._ended = False

    @property
    def expected_bytes(self) -> int:
        """The size of the whole blob."""
        return self._expected_bytes

    def peek(self, size: int) -> bytes:
        """The first bytes, without consuming them. Fewer than `size` only if the blob is shorter."""
        while self._available < size and not self._ended:
            self._wait()
        return os.pread(self._fd, min(size, self._available), 0)

    def read(self, size: int = READ_BYTES) -> bytes:
        """At most `size` bytes, none at the end. Raises UnpackError if the download ended early."""
        while self._position == self._available and not self._ended:
            self._wait()
        wanted = min(size, READ_BYTES, self._available - self._position)
        data = os.pread(self._fd, wanted, self._position) if wanted else b""
        self._position += len(data)
        return data

    def _wait(self) -> None:
        marks = os.read(self._marks_fd, 65536)
        if marks:
            (self._available,) = MARK.unpack(marks[-MARK.size :])
            return
        self._ended = True
        self._available = os.fstat(self._fd).st_size
        if self._available != self._expected_bytes:
            raise UnpackError("aborted", f"the download ended at {self._available} of {self._expected_bytes} bytes")
