"""Channels in WebSocket messages: the first byte of a message names the channel that the rest belongs to.

In the base64 protocols messages are text: an ASCII digit, then base64. In v5, the message `[255, channel]` closes one
channel in its sender's direction.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgspec

from podwright.streams.errors import ProtocolError
from podwright.streams.websocket.connection import FRAME_LIMIT_BYTES, Buffer, Piece, WebSocket
from podwright.streams.websocket.handshake import ChannelProtocol

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE_SIGNAL = 255
_DIGIT_ZERO = ord("0")


class ChannelData(msgspec.Struct, frozen=True):
    """Bytes for a channel. May be empty, which peers send to announce that they are ready."""

    channel: int
    payload: bytes | bytearray | memoryview


class ChannelClosed(msgspec.Struct, frozen=True):
    """The peer has closed its direction of this channel."""

    channel: int


class ChannelWriter:
    """Packs channels into the messages of one WebSocket."""

    def __init__(self, socket: WebSocket, protocol: ChannelProtocol) -> None:
        self._socket = socket
        self._protocol = protocol

    def send_data(self, channel: int, payload: Buffer) -> bytes:
        """One message. Raises FailedPrecondition if the WebSocket is closing."""
        if self._protocol.base64:
            text = bytes((_DIGIT_ZERO + channel,)) + base64.b64encode(payload)
            return self._socket.send_message(text, text=True)
        return self._socket.send_message(b"".join((bytes((channel,)), payload)))

    def send_close(self, channel: int) -> bytes:
        """Close our direction of a channel. No bytes if the protocol cannot express it."""
        if not self._protocol.half_close:
            return b""
        return self._socket.send_message(bytes((CLOSE_SIGNAL, channel)))


class ChannelReader:
    """Parses channels from pieces of messages. Buffers only base64 and the close signal."""

    def __init__(self, protocol: ChannelProtocol) -> None:
        self._protocol = protocol
        self._channel: int | None = None  # of the current message
        self._gathered = bytearray()

    def feed(self, piece: Piece) -> Iterator[ChannelData | ChannelClosed]:
        """The event for the piece, or None for an empty message. Raises ProtocolError."""
        payload: Buffer = piece.payload
        if self._protocol.base64:
            if (payload := self._whole(piece)) and piece.last:
                yield _open_base64(bytes(payload))
            return
        if piece.first:
            self._channel = None
        if self._channel is None and len(payload):
            self._channel, payload = payload[0], memoryview(payload)[1:]
        if self._channel is None:
            return
        if self._channel == CLOSE_SIGNAL and self._protocol.half_close:
            yield from self._closed(Piece(payload, piece.first, piece.last))
        else:
            yield ChannelData(self._channel, payload)

    def _closed(self, rest: Piece) -> Iterator[ChannelClosed]:
        whole = self._whole(rest, limit_bytes=1)
        if rest.last:
            if len(whole) != 1:
                raise ProtocolError("a WebSocket channel is closed by a message of exactly two bytes")
            yield ChannelClosed(whole[0])

    def _whole(self, piece: Piece, *, limit_bytes: int = FRAME_LIMIT_BYTES) -> bytes:
        """The message so far. It is forgotten with its last piece."""
        if piece.first:
            self._gathered.clear()
        if len(self._gathered) + len(piece.payload) > limit_bytes:
            raise ProtocolError(f"a buffered WebSocket message is longer than {limit_bytes} bytes")
        self._gathered += piece.payload
        whole = bytes(self._gathered) if piece.last else b""
        if piece.last:
            self._gathered.clear()
        return whole


def _open_base64(message: bytes) -> ChannelData:
    channel = message[0] - _DIGIT_ZERO
    if not 0 <= channel <= 9:
        raise ProtocolError(f"a base64 WebSocket message starts with {message[:1]!r}, not with a channel's digit")
    try:
        return ChannelData(channel, base64.b64decode(message[1:], validate=True))
    except ValueError as failure:
        raise ProtocolError(f"a WebSocket message is not base64: {failure}") from failure
