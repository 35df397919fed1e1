"""The server's side of a WebSocket with channels: exec, attach, and the older port-forward."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams.websocket.channels import ChannelClosed, ChannelData, ChannelReader, ChannelWriter
from podwright.streams.websocket.connection import SERVER, Closed, Piece, WebSocket
from podwright.streams.websocket.handshake import ChannelProtocol
from podwright.streams.wire import Aside, Buffer, Wire, deliver, receive_or_end

OnChannel = Callable[[ChannelData | ChannelClosed], Awaitable[None]]


class ChannelSocket:
    """One connection. A task must call `run`. Closing the wire ends it."""

    def __init__(self, wire: Wire, protocol: ChannelProtocol) -> None:
        self.protocol = protocol
        self._wire = wire
        self._websocket = WebSocket(SERVER)
        self._reader = ChannelReader(protocol)
        self._writer = ChannelWriter(self._websocket, protocol)
        self._aside = Aside(wire)

    async def run(self, on_channel: OnChannel) -> None:
        """Receive until the client closes or is gone. Raises ProtocolError, and what `on_channel` raises."""
        try:
            while data := await receive_or_end(self._wire):
                if await self._take(data, on_channel):
                    return
        finally:
            self._aside.cancel()

    async def _take(self, data: Buffer, on_channel: OnChannel) -> bool:
        """Whether the message was the client's close."""
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
            await deliver(self._wire, answers)
        return goodbye

    async def send(self, channel: int, data: Buffer) -> None:
        """Send one message. Waits for a slow client. Raises Unavailable if the client is gone."""
        try:
            await deliver(self._wire, self._writer.send_data(channel, data))
        except FailedPrecondition as failure:
            raise Unavailable("the client has closed the connection") from failure

    async def say_goodbye(self) -> None:
        """Close the sending side. Raises Unavailable."""
        await deliver(self._wire, self._websocket.close())
