"""A WebSocket after its handshake, as a state machine over the websockets library's sans-IO protocol.

Messages are passed on frame by frame, because a message may have any length, but a frame may not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol, Side, State

from podwright.errors import FailedPrecondition
from podwright.streams.errors import ProtocolError

FRAME_LIMIT_BYTES = 1024 * 1024
CLOSE_REASON_LIMIT_BYTES = 123  # the space in a control frame (RFC 6455)

Buffer = bytes | bytearray | memoryview

# With level debug, the library logs payloads, which may contain passwords.
_LOG = logging.getLogger(__name__)
_LOG.setLevel(logging.ERROR)


class WebSocketError(ProtocolError):
    """The peer violated WebSocket or a limit of ours. `take_answers` has the close frame."""


class Piece(msgspec.Struct, frozen=True):
    """A frame of a message. `first` and `last` give its position."""

    payload: bytes | bytearray | memoryview
    first: bool
    last: bool


class Closed(msgspec.Struct, frozen=True):
    """The peer closed the connection. Nothing follows."""

    code: int
    reason: str


Event = Piece | Closed


class WebSocket:
    """One side of one connection. Write the bytes from its methods, and from `take_answers` after receive_data."""

    def __init__(self, side: Side, *, frame_limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        """`side` is CLIENT or SERVER of this module. Clients mask what they send."""
        self._protocol = Protocol(side, max_size=(None, frame_limit_bytes), logger=_LOG)

    def receive_data(self, data: Buffer) -> Iterator[Event]:
        """The events in the next bytes. Consume all before the next call. Raises WebSocketError."""
        protocol = self._protocol
        protocol.receive_data(data)  # type: ignore[arg-type] # it appends to a bytearray: any buffer will do
        for frame in protocol.events_received():
            event = self._event(frame) if isinstance(frame, Frame) else None
            if event is not None:
                yield event
        if protocol.parser_exc is not None:
            raise WebSocketError(f"the WebSocket peer broke the protocol: {protocol.parser_exc}")

    def take_answers(self) -> bytes:
        """Bytes that the protocol itself must send since the last call (pongs, close frames). May be empty."""
        return b"".join(self._protocol.data_to_send())

    def send_message(self, payload: Buffer, *, text: bool = False) -> bytes:
        """A message in one frame. Raises FailedPrecondition after a close by either side."""
        return self._sending(self._protocol.send_text if text else self._protocol.send_binary, payload)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> bytes:
        """Close the connection. No bytes if it was already closed."""
        if self._protocol.state is not State.OPEN:
            return b""
        short = reason.encode()[:CLOSE_REASON_LIMIT_BYTES].decode(errors="ignore")
        self._protocol.send_close(code, short)
        return self.take_answers()

    def _sending(self, send: object, payload: Buffer) -> bytes:
        try:
            send(payload)  # type: ignore[operator] # one of the library's bound methods
        except WebSocketException as failure:
            raise FailedPrecondition(f"the WebSocket is closing: {failure}") from failure
        return self.take_answers()

    def _event(self, frame: Frame) -> Event | None:
        if frame.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
            return Piece(memoryview(frame.data), frame.opcode is not Opcode.CONT, frame.fin)
        if frame.opcode is Opcode.CLOSE and (close := self._protocol.close_rcvd) is not None:
            return Closed(close.code, close.reason)
        return None


__all__ = [
    "CLIENT",
    "SERVER",
    "CloseCode",
    "Closed",
    "Event",
    "Piece",
    "WebSocket",
    "WebSocketError",
]
