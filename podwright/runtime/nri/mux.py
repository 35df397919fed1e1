"""NRI's mux: connections over one socket. No I/O.

    connection (4 bytes, big-endian) | length (4) | data

There is no opening and no closing. A frame may hold a part of what was written, or several writes: each connection is
a stream of bytes. But plug-ins in Go cannot take a frame in parts. They read into a buffer of 4 KiB, and directly into
a message of which they have the beginning: so a message goes out as a first frame of that size, and the rest.
"""

from __future__ import annotations

import struct

from podwright.errors import InvalidArgument

HEADER = struct.Struct(">II")
DATA_LIMIT_BYTES = 10 + (4 << 20)  # a frame of ttrpc
FIRST_BYTES = 4096
PLUGIN, RUNTIME = 1, 2  # the connections by whose service is called on them


def encode(connection: int, data: bytes) -> bytes:
    """The frames of one message of ttrpc, which fits one frame."""
    pieces = (data[:FIRST_BYTES], data[FIRST_BYTES:])
    return b"".join(HEADER.pack(connection, len(piece)) + piece for piece in pieces if piece)


class MuxDecoder:
    """Bytes in pieces of any size to data of connections. It keeps the begin of one frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """What is complete with `data`, in order. Raises InvalidArgument for a frame that is too long."""
        self._buffer += data
        found = []
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            connection, length = HEADER.unpack_from(self._buffer, start)
            if length > DATA_LIMIT_BYTES:
                raise InvalidArgument(f"a frame of {length} bytes is longer than {DATA_LIMIT_BYTES}")
            end = start + HEADER.size + length
            if end > len(self._buffer):
                break
            found.append((connection, bytes(self._buffer[start + HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return found
