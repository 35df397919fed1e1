"""A SPDY connection as a state machine: bytes in, events out. `send_*` methods return bytes for the socket.

Used by the client here and by the runtime's streaming server. The caller writes all returned bytes in order,
for header blocks depend on each other, and after each `receive_data` the bytes of `take_answers`.

    received bytes -> receive_data() -> events          open_stream/accept/send_data/... -> bytes to send
                                     -> take_answers()  (pongs, resets of streams that were refused)

A stream is open in each direction until FIN goes that way, or RST_STREAM either way:

    open_stream / StreamOpened -> OPEN -> FIN sent -----> local end closed  -> FIN received -> gone
                                       -> FIN received -> remote end closed -> FIN sent -----> gone
                                       -> RST_STREAM either way ------------------------------> gone

Data for a stream that is gone is dropped, for the peer may not know yet. Data for a stream that never existed ends the
connection. Sending more than `sendable_bytes` may block the peer's other streams. A side with windows calls `taken`
for data that its readers have consumed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from podwright.errors import FailedPrecondition
from podwright.streams.spdy import frames
from podwright.streams.spdy.errors import SpdyError
from podwright.streams.spdy.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    HeadersReceived,
    StreamAccepted,
    StreamOpened,
    StreamReset,
    WindowOpened,
)
from podwright.streams.spdy.frames import Buffer, ControlFrame, DataPiece, FrameType, GoAwayStatus, ResetStatus
from podwright.streams.spdy.headers import HeaderOpener, HeaderPacker
from podwright.streams.spdy.windows import Window, Windows

STREAMS_LIMIT = 4096
DATA_HEADER_BYTES = frames.HEADER_BYTES


class Role(enum.IntEnum):
    """The side of a connection. The value is the first stream id that it opens."""

    CLIENT = 1
    SERVER = 2


class _Stream(msgspec.Struct):
    """The open directions of a stream, and its window."""

    local: bool
    remote: bool
    window: Window = msgspec.field(default_factory=Window)


class SpdySession:
    """One side of one connection."""

    def __init__(self, role: Role, *, streams_limit: int = STREAMS_LIMIT, window_bytes: int = 0) -> None:
        """`streams_limit` is the number of open streams that the peer may have. Further ones are reset.

        With `window_bytes`, the peer is asked to send at most that much on a stream beyond what was `taken`.
        """
        self._role = role
        self._streams_limit = streams_limit
        self._next_id: int = role
        self._last_peer_id = 0
        self._streams: dict[int, _Stream] = {}
        self._windows = Windows(window_bytes)
        self._reader = frames.FrameReader()
        self._packer = HeaderPacker()
        self._opener = HeaderOpener()
        self._answers = bytearray()
        self._handlers: dict[FrameType, Callable[[ControlFrame], Event | None]] = {
            FrameType.SYN_STREAM: self._on_syn_stream,
            FrameType.SYN_REPLY: self._on_syn_reply,
            FrameType.HEADERS: self._on_headers,
            FrameType.RST_STREAM: self._on_reset,
            FrameType.PING: self._on_ping,
            FrameType.GOAWAY: self._on_go_away,
            FrameType.SETTINGS: self._on_settings,
            FrameType.WINDOW_UPDATE: self._on_window_update,
        }

    # -- receiving

    def announcement(self) -> bytes:
        """Bytes to send first. May be empty."""
        return self._windows.announcement()

    def receive_data(self, data: Buffer) -> Iterator[Event]:
        """The events in the next bytes. Consume all before the next call.

        Raises SpdyError, after which the connection must be closed (`go_away` gives the last bytes).
        """
        for frame in self._reader.feed(data):
            event = self._on_data(frame) if isinstance(frame, DataPiece) else self._handlers[frame.type](frame)
            if event is not None:
                yield event

    def take_answers(self) -> bytes:
        """Bytes that the protocol itself must send since the last call. May be empty."""
        answers = bytes(self._answers)
        self._answers.clear()
        return answers

    def taken(self, stream_id: int, count_bytes: int) -> bytes:
        """`count_bytes` of a stream's data were consumed. Returns bytes for the peer, or none."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.remote:
            return b""
        return self._windows.grant(stream_id, stream.window, count_bytes)

    # -- sending

    def open_stream(self, headers: Mapping[str, str], *, fin: bool = False) -> tuple[int, bytes]:
        """The id of a new stream, and the bytes that open it. With `fin`, we send nothing on it."""
        stream_id = self._next_id
        if stream_id > frames.STREAM_ID_MASK:
            raise FailedPrecondition("this SPDY connection has used up its stream ids", hint="open another one")
        self._next_id += 2
        self._streams[stream_id] = _Stream(local=not fin, remote=True)
        return stream_id, frames.syn_stream(stream_id, self._packer.pack(headers), fin=fin)

    def accept(self, stream_id: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accept a stream that the peer opened."""
        return frames.syn_reply(stream_id, self._packer.pack(headers or {}))

    def send_data(self, stream_id: int, payload: Buffer, *, fin: bool = False) -> Sequence[Buffer]:
        """Data in parts to write one after the other. Nothing is copied.

        Raises FailedPrecondition if the stream is not open for sending.
        """
        view = memoryview(payload)
        parts: list[Buffer] = []
        while len(view) > frames.FRAME_LIMIT_BYTES:
            chunk, view = view[: frames.FRAME_LIMIT_BYTES], view[frames.FRAME_LIMIT_BYTES :]
            parts += (self.data_header(stream_id, len(chunk)), chunk)
        parts.append(self.data_header(stream_id, len(view), fin=fin))
        if view:
            parts.append(view)
        return parts

    def data_header(self, stream_id: int, length_bytes: int, *, fin: bool = False) -> bytes:
        """The DATA_HEADER_BYTES before `length_bytes` of data that the caller sends itself (at most 2**24 - 1).

        Raises FailedPrecondition if the stream is not open for sending.
        """
        stream = self._writable(stream_id)
        if fin:
            self._close(stream_id, stream, local=True)
        stream.window.sent_bytes += length_bytes
        return frames.data_header(stream_id, length_bytes, fin=fin)

    def sendable_bytes(self, stream_id: int) -> int:
        """How much data the peer accepts on this stream now. 0: wait for WindowOpened.

        Raises FailedPrecondition if the stream is not open for sending.
        """
        return self._windows.sendable_bytes(self._writable(stream_id).window)

    def send_fin(self, stream_id: int) -> bytes:
        """End our direction of a stream. No bytes if it has already ended."""
        return self.data_header(stream_id, 0, fin=True) if self.is_writable(stream_id) else b""

    def reset(self, stream_id: int, status: ResetStatus = ResetStatus.CANCEL) -> bytes:
        """End a stream in both directions. No bytes if it is already gone."""
        if self._streams.pop(stream_id, None) is None:
            return b""
        return frames.rst_stream(stream_id, status)

    def go_away(self, status: GoAwayStatus = GoAwayStatus.OK) -> bytes:
        """Announce that no more streams are accepted."""
        return frames.go_away(self._last_peer_id, status)

    # -- looking

    def is_writable(self, stream_id: int) -> bool:
        """Whether we may send on the stream."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.local

    @property
    def open_streams(self) -> Sequence[int]:
        """The ids of all streams that are open in any direction."""
        return tuple(self._streams)

    # -- one method per frame

    def _on_data(self, piece: DataPiece) -> Event | None:
        stream = self._streams.get(piece.stream_id)
        if stream is None:
            self._check_known(piece.stream_id)
            return None
        if not stream.remote:
            self._answers += self.reset(piece.stream_id, ResetStatus.STREAM_ALREADY_CLOSED)
            return StreamReset(piece.stream_id, ResetStatus.STREAM_ALREADY_CLOSED)
        if piece.fin:
            self._close(piece.stream_id, stream, remote=True)
        return DataReceived(piece.stream_id, piece.payload, piece.fin)

    def _on_syn_stream(self, frame: ControlFrame) -> Event | None:
        (word, _), rest = frames.split_ids(frame.payload, 2)
        if len(rest) < 2:
            raise SpdyError("a SPDY control frame is cut short")
        stream_id, headers = word & frames.STREAM_ID_MASK, self._opener.open(rest[2:])
        if stream_id % 2 == self._role % 2 or stream_id <= self._last_peer_id:
            raise SpdyError(f"the peer cannot open SPDY stream {stream_id} after {self._last_peer_id}")
        self._last_peer_id = stream_id
        if len(self._streams) >= self._streams_limit:
            self._answers += frames.rst_stream(stream_id, ResetStatus.REFUSED_STREAM)
            return None
        fin = bool(frame.flags & frames.FLAG_FIN)
        self._streams[stream_id] = _Stream(local=True, remote=not fin)
        return StreamOpened(stream_id, headers, fin)

    def _on_syn_reply(self, frame: ControlFrame) -> Event | None:
        known = self._block(frame)
        return known and StreamAccepted(*known)

    def _on_headers(self, frame: ControlFrame) -> Event | None:
        known = self._block(frame)
        return known and HeadersReceived(*known)

    def _block(self, frame: ControlFrame) -> tuple[int, Mapping[str, str], bool] | None:
        """Stream, headers and FIN of a SYN_REPLY or HEADERS, or None if the stream is gone."""
        (word,), block = frames.split_ids(frame.payload, 1)
        stream_id, headers = word & frames.STREAM_ID_MASK, self._opener.open(block)
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_known(stream_id)
            return None
        fin = bool(frame.flags & frames.FLAG_FIN)
        if fin:
            self._close(stream_id, stream, remote=True)
        return stream_id, headers, fin

    def _on_reset(self, frame: ControlFrame) -> Event | None:
        (word, status), _ = frames.split_ids(frame.payload, 2)
        stream_id = word & frames.STREAM_ID_MASK
        if self._streams.pop(stream_id, None) is None:
            self._check_known(stream_id)
            return None
        return StreamReset(stream_id, status)

    def _on_ping(self, frame: ControlFrame) -> None:
        """Answer a ping of the peer's. Ids are odd on the client and even on the server: we send none."""
        (ping_id,), _ = frames.split_ids(frame.payload, 1)
        if ping_id % 2 != self._role % 2:
            self._answers += frames.ping(ping_id)

    def _on_settings(self, frame: ControlFrame) -> Event:
        self._windows.on_settings(frame.payload)
        return WindowOpened(0)

    def _on_window_update(self, frame: ControlFrame) -> Event | None:
        (word, count_bytes), _ = frames.split_ids(frame.payload, 2)
        stream = self._streams.get(word & frames.STREAM_ID_MASK)
        if stream is None:
            return None
        stream.window.granted_bytes += count_bytes
        return WindowOpened(word & frames.STREAM_ID_MASK)

    def _on_go_away(self, frame: ControlFrame) -> Event | None:
        (last_stream_id, status), _ = frames.split_ids(frame.payload, 2)
        return GoAwayReceived(last_stream_id, status)

    # -- the table of streams

    def _writable(self, stream_id: int) -> _Stream:
        """Raises FailedPrecondition."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.local:
            raise FailedPrecondition(f"SPDY stream {stream_id} is closed for sending")
        return stream

    def _close(self, stream_id: int, stream: _Stream, *, local: bool = False, remote: bool = False) -> None:
        if local:
            stream.local = False
        if remote:
            stream.remote = False
        if not stream.local and not stream.remote:
            del self._streams[stream_id]

    def _check_known(self, stream_id: int) -> None:
        """Raises SpdyError for a stream that never existed."""
        ours = stream_id % 2 == self._role % 2
        if stream_id == 0 or (stream_id >= self._next_id if ours else stream_id > self._last_peer_id):
            raise SpdyError(f"there never was a SPDY stream {stream_id}")
