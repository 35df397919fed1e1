"""A compressed stream of unknown length, for the decoders of the unpack program."""

from __future__ import annotations

import os

from podwright.runtime.storage.unpack.source import READ_BYTES, GrowingFile


class StreamSource(GrowingFile):
    """Reads a pipe or a file to its end. Uses the standard library only, because the intake program runs it."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, -1, 0)
        self._stream_fd = fd
        self._head = b""
        self.read_bytes = 0  # so far

    def peek(self, size: int) -> bytes:
        """As `GrowingFile.peek`."""
        while len(self._head) < size and (piece := self._next(size)):
            self._head += piece
        return self._head[:size]

    def read(self, size: int = READ_BYTES) -> bytes:
        """As `GrowingFile.read`. An early end looks like the real one."""
        data, self._head = self._head[:size], self._head[size:]
        return data or self._next(size)

    def _next(self, size: int) -> bytes:
        data = os.read(self._stream_fd, min(size, READ_BYTES))
        self.read_bytes += len(data)
        return data
