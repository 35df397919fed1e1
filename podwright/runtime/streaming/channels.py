"""The server's side of a WebSocket whose messages are channels: exec, attach, and port-forward of old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams.websocket.channels import ChannelClosed, ChannelData, ChannelReader, ChannelWriter
from podwright.streams.websocket.connection import SERVER, Closed, Piece, WebSocket
from podwright.streams.websocket.handshake import ChannelProtocol
from podwright.streams.wire import Aside, Buffer, Wire

OnChannel = Callable[[ChannelData | ChannelClosed], Awaitable[None]]


class ChannelSocket:
    """One connection. Somebody has to `run` it; closing the wire ends that."""

    def __init__(self, wire: Wire, protocol: ChannelProtocol) -> None:
        self.protocol = protocol
        self._wire = wire
        self._websocket = WebSocket(SERVER)
        self._reader = ChannelReader(protocol)
        self._writer = ChannelWriter(self._websocket, protocol)
        self._aside = Aside(wire)

    async def run(self, on_channel: OnChannel) -> None:
        """Receive until the client says goodbye or is gone. Raises ProtocolError, and what `on_channel` raises."""
        try:
            while data := await self._next():
                if await self._take(data, on_channel):
                    return
        finally:
            self._aside.cancel()

    async def _take(self, data: Buffer, on_channel: OnChannel) -> bool:
        """Whether that was the goodbye."""
        goodbye = False
        try:
            for event in self._websocket.receive_data(data):
                if isinstance(event, Piece):
                    for said in self._reader.feed(event):
                        await on_channel(said)
                goodbye = goodbye or isinstance(event, Closed)
        finally:
            answers = self._websocket.take_answers()
            if not goodbye:
                self._aside.send(answers)
        if goodbye and answers:
            await self._send(answers)
        return goodbye

    async def _next(self) -> Buffer:
        """A connection that breaks has ended, like others."""
        try:
            return await self._wire.receive()
        except OSError:
            return b""

    async def send(self, channel: int, data: Buffer) -> None:
        """One message. Raises Unavailable when the client is gone; waits while it does not read."""
        try:
            await self._send(self._writer.send_data(channel, data))
        except FailedPrecondition as failure:
            raise Unavailable("the client has said goodbye") from failure

    async def say_goodbye(self) -> None:
        """Nothing more will be sent. Raises Unavailable."""
        await self._send(self._websocket.close())

    async def _send(self, message: bytes) -> None:
        if not message:
            return
        try:
            await self._wire.send(message)
        except OSError as failure:
            raise Unavailable(f"the streaming connection broke: {failure}") from failure
