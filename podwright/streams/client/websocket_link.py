"""Exec and attach over a WebSocket: each stream of the session is a channel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from podwright.errors import FailedPrecondition
from podwright.streams.client.link import FROM_SERVER, OnOutput
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import CHANNELS, STREAM_TYPES, StreamType, Version
from podwright.streams.websocket import handshake
from podwright.streams.websocket.channels import ChannelClosed, ChannelReader, ChannelWriter
from podwright.streams.websocket.connection import CLIENT, Closed, Event, Piece, WebSocket
from podwright.streams.wire import Aside, Buffer, Wire, deliver, receive_or_end

GOODBYE_TIMEOUT_S = 1.0
MESSAGE_BYTES = 256 * 1024  # servers limit the length of messages


class WebSocketLink:
    """SessionStreams over a WebSocket."""

    def __init__(self, wire: Wire, chosen: str, streams: Iterable[StreamType]) -> None:
        protocol = handshake.channel_protocol(chosen)
        if protocol is None:
            raise ProtocolError(f"the server chose {chosen!r}, which is not a channel protocol")
        self.version = Version(protocol.version)
        self._wire = wire
        self._websocket = WebSocket(CLIENT)
        self._writer = ChannelWriter(self._websocket, protocol)
        self._reader = ChannelReader(protocol)
        self._open = set(FROM_SERVER.intersection(streams))  # the server ends these
        self._aside = Aside(wire)

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        for begin in range(0, len(data), MESSAGE_BYTES):
            await deliver(
                self._wire, self._writer.send_data(CHANNELS[stream_type], data[begin : begin + MESSAGE_BYTES])
            )

    async def end(self, stream_type: StreamType) -> None:
        with contextlib.suppress(FailedPrecondition):  # the whole connection is closing
            await deliver(self._wire, self._writer.send_close(CHANNELS[stream_type]))

    async def receive(self, on_output: OnOutput) -> None:
        while self._open and (data := await receive_or_end(self._wire)):
            try:
                for event in self._websocket.receive_data(data):
                    await self._take(event, on_output)
            finally:
                self._aside.send(self._websocket.take_answers())

    async def close(self) -> None:
        self._aside.cancel()
        if goodbye := self._websocket.close():
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                    await self._wire.send(goodbye)
        await self._wire.close()

    async def _take(self, event: Event, on_output: OnOutput) -> None:
        if isinstance(event, Closed):
            self._open.clear()
        if not isinstance(event, Piece):
            return
        for said in self._reader.feed(event):
            stream_type = STREAM_TYPES.get(said.channel)
            if stream_type not in self._open:
                continue
            if isinstance(said, ChannelClosed):
                self._open.discard(stream_type)
            elif said.payload:
                await on_output(stream_type, said.payload)
