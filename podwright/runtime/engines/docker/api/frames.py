"""The format in which the Engine sends stdout and stderr of a process without a terminal over one connection. Pure.

Each frame has a header of eight bytes: the stream (1 stdout, 2 stderr), three zeros, and the length of its content in
big-endian order (Engine API, "Attach to a container", stream format).
"""

from __future__ import annotations

import struct

from podwright.errors import Internal

STDOUT, STDERR = 1, 2
KNOWN = frozenset({0, STDOUT, STDERR, 3})  # 0: echo of stdin, 3: the Engine's own errors
_HEADER = struct.Struct(">B3xI")


class StdioFrames:
    """Takes bytes as they come, and gives content as soon as it is there. It keeps no more than a header."""

    def __init__(self) -> None:
        self._head = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces of content in `data`, each with its stream. Raises Internal for bytes that are no frames."""
        pieces: list[tuple[int, bytes]] = []
        position = 0
        while position < len(data):
            if self._left:
                piece = data[position : position + self._left]
                pieces.append((self._stream, piece))
                position += len(piece)
                self._left -= len(piece)
                continue
            taken = data[position : position + _HEADER.size - len(self._head)]
            self._head += taken
            position += len(taken)
            if len(self._head) == _HEADER.size:
                self._stream, self._left = _HEADER.unpack(self._head)
                self._head = b""
                if self._stream not in KNOWN:
                    raise Internal(f"the Docker Engine sent a stream of the unknown kind {self._stream}")
        return pieces
