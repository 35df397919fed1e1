"""ttrpc's frames: a header of 10 bytes, and at most 4 MiB of data. Pure.

    length (4 bytes, big-endian) | stream (4) | kind (1) | flags (1) | data

The side that connected begins streams with odd numbers.
"""

from __future__ import annotations

import struct

import msgspec

from podwright.errors import ResourceExhausted

HEADER = struct.Struct(">IIBB")
DATA_LIMIT_BYTES = 4 << 20

REQUEST, RESPONSE, DATA = 1, 2, 3  # kinds
REMOTE_CLOSED, REMOTE_OPEN, NO_DATA = 0x1, 0x2, 0x4  # flags


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame. `kind` and `flags` may be ones that this version does not know."""

    stream: int
    kind: int
    flags: int = 0
    data: bytes = b""


class Oversized(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a frame with more data than allowed. The data is dropped."""

    stream: int
    kind: int
    flags: int
    length: int


def encode(frame: Frame) -> bytes:
    """The frame's bytes. Raises ResourceExhausted when it has too much data."""
    if len(frame.data) > DATA_LIMIT_BYTES:
        raise ResourceExhausted(f"a ttrpc message of {len(frame.data)} bytes is larger than {DATA_LIMIT_BYTES}")
    return HEADER.pack(len(frame.data), frame.stream, frame.kind, frame.flags) + frame.data


class FrameDecoder:
    """Bytes in pieces of any size to frames. It holds one frame at most, and nothing of an oversized one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._to_drop = 0  # bytes of an oversized frame that are still to come

    def feed(self, data: bytes) -> list[Frame | Oversized]:
        """The frames that are complete with `data`, in order."""
        dropped = min(self._to_drop, len(data))
        self._to_drop -= dropped
        self._buffer += memoryview(data)[dropped:]
        frames: list[Frame | Oversized] = []
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            length, stream, kind, flags = HEADER.unpack_from(self._buffer, start)
            begin, end = start + HEADER.size, start + HEADER.size + length
            if length > DATA_LIMIT_BYTES:
                frames.append(Oversized(stream=stream, kind=kind, flags=flags, length=length))
                self._to_drop = max(0, end - len(self._buffer))
                end = min(end, len(self._buffer))
            elif end > len(self._buffer):
                break
            else:
                payload = bytes(self._buffer[begin:end])
                frames.append(Frame(stream=stream, kind=kind, flags=flags, data=payload))
            start = end
        del self._buffer[:start]
        return frames
