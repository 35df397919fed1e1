"""Frames: their wire format, and a reader for arbitrary pieces of the byte stream.

A control frame is `1 | version 15 | type 16 | flags 8 | length 24`, then its payload. A data frame is `0 | stream id
31 | flags 8 | length 24`, then data. Payloads of data frames are passed on as views of the caller's buffer, so a long
frame costs no memory. Control frames are buffered, up to a limit.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator

import msgspec

from podwright.streams.spdy.errors import SpdyError

VERSION = 3
FLAG_FIN = 0x01
HEADER_BYTES = 8
FRAME_LIMIT_BYTES = (1 << 24) - 1  # for a payload, from the width of the length field
CONTROL_LIMIT_BYTES = 64 * 1024
STREAM_ID_MASK = (1 << 31) - 1
_CONTROL_BIT = 1 << 31
_HEADER = struct.Struct(">II")
_PAIR = struct.Struct(">II")
_SYN_STREAM = struct.Struct(">IIH")

Buffer = bytes | bytearray | memoryview


class FrameType(enum.IntEnum):
    """The control frames of SPDY/3 that Kubernetes' peers may send."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class ResetStatus(enum.IntEnum):
    """The reason for a reset of a stream (SPDY draft 3, section 2.6.3)."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    UNSUPPORTED_VERSION = 4
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_IN_USE = 8
    STREAM_ALREADY_CLOSED = 9


class GoAwayStatus(enum.IntEnum):
    """The reason why a peer accepts no more streams."""

    OK = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class ControlFrame(msgspec.Struct, frozen=True):
    """A complete control frame with an unparsed payload."""

    type: FrameType
    flags: int
    payload: bytes


class DataPiece(msgspec.Struct, frozen=True):
    """A part of a data frame, as a view of the fed buffer. `fin` is set on the last part of the last frame.

    The payload is empty only with `fin`.
    """

    stream_id: int
    payload: memoryview
    fin: bool


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._gathered = bytearray()  # an unfinished header, or an unfinished control frame
        self._stream_id = 0  # of the current data frame
        self._fin = False
        self._data_left_bytes = 0

    def feed(self, data: Buffer) -> Iterator[ControlFrame | DataPiece]:
        """The frames in the next bytes. Raises SpdyError for invalid or oversized data."""
        view = memoryview(data)
        while view:
            if self._data_left_bytes:
                piece = view[: self._data_left_bytes]
                view = view[len(piece) :]
                self._data_left_bytes -= len(piece)
                yield DataPiece(self._stream_id, piece, self._fin and not self._data_left_bytes)
                continue
            needed_bytes = self._needed_bytes()
            taken = view[: needed_bytes - len(self._gathered)]
            view = view[len(taken) :]
            self._gathered += taken
            if len(self._gathered) == needed_bytes:
                yield from self._complete()

    def _needed_bytes(self) -> int:
        """The known length of the buffered frame so far."""
        if len(self._gathered) < HEADER_BYTES:
            return HEADER_BYTES
        return HEADER_BYTES + int.from_bytes(self._gathered[5:HEADER_BYTES])

    def _complete(self) -> Iterator[ControlFrame | DataPiece]:
        """Handle a header or a complete control frame."""
        first, second = _HEADER.unpack_from(self._gathered)
        flags, length_bytes = second >> 24, second & FRAME_LIMIT_BYTES
        if not first & _CONTROL_BIT:
            self._gathered.clear()
            self._stream_id, self._fin, self._data_left_bytes = first, bool(flags & FLAG_FIN), length_bytes
            if self._fin and not length_bytes:
                yield DataPiece(first, memoryview(b""), True)
            return
        frame_type = _checked_type(first, length_bytes)
        if len(self._gathered) == HEADER_BYTES + length_bytes:
            payload = bytes(self._gathered[HEADER_BYTES:])
            self._gathered.clear()
            yield ControlFrame(frame_type, flags, payload)


def _checked_type(first: int, length_bytes: int) -> FrameType:
    version, number = (first >> 16) & 0x7FFF, first & 0xFFFF
    if version != VERSION:
        raise SpdyError(f"this is not SPDY/{VERSION} (version {version})")
    if length_bytes > CONTROL_LIMIT_BYTES:
        raise SpdyError(f"a SPDY control frame of {length_bytes} bytes is longer than {CONTROL_LIMIT_BYTES}")
    try:
        return FrameType(number)
    except ValueError:
        raise SpdyError(f"SPDY has no control frame of type {number}") from None


def data_header(stream_id: int, length_bytes: int, *, fin: bool = False) -> bytes:
    """The header for `length_bytes` of data, at most FRAME_LIMIT_BYTES."""
    return _HEADER.pack(stream_id, (FLAG_FIN << 24 if fin else 0) | length_bytes)


def control_frame(frame_type: FrameType, payload: bytes, *, flags: int = 0) -> bytes:
    """A whole control frame."""
    first = _CONTROL_BIT | VERSION << 16 | frame_type
    return _HEADER.pack(first, flags << 24 | len(payload)) + payload


def syn_stream(stream_id: int, block: bytes, *, fin: bool = False) -> bytes:
    """Open an independent stream of the highest priority."""
    return control_frame(FrameType.SYN_STREAM, _SYN_STREAM.pack(stream_id, 0, 0) + block, flags=FLAG_FIN if fin else 0)


def syn_reply(stream_id: int, block: bytes, *, fin: bool = False) -> bytes:
    """Accept a stream."""
    return control_frame(FrameType.SYN_REPLY, stream_id.to_bytes(4) + block, flags=FLAG_FIN if fin else 0)


def rst_stream(stream_id: int, status: ResetStatus) -> bytes:
    """End a stream in both directions."""
    return control_frame(FrameType.RST_STREAM, _PAIR.pack(stream_id, status))


def ping(ping_id: int) -> bytes:
    """A ping, or the answer to one."""
    return control_frame(FrameType.PING, ping_id.to_bytes(4))


def go_away(last_stream_id: int, status: GoAwayStatus) -> bytes:
    """Accept no streams after `last_stream_id`."""
    return control_frame(FrameType.GOAWAY, _PAIR.pack(last_stream_id, status))


def split_ids(payload: bytes, count: int) -> tuple[tuple[int, ...], bytes]:
    """The first `count` 32-bit numbers of a control frame, and the rest. Raises SpdyError if it is shorter."""
    size = 4 * count
    if len(payload) < size:
        raise SpdyError("a SPDY control frame is cut short")
    return struct.unpack_from(f">{count}I", payload), payload[size:]
