"""Exec and attach over a WebSocket, where each stream is a channel that exists from the start."""

from __future__ import annotations

from podwright.runtime.streaming.channels import ChannelSocket
from podwright.runtime.streaming.inbox import Inbox
from podwright.streams.remote_command.protocol import CHANNELS, STREAM_TYPES, StreamType, Version
from podwright.streams.remote_command.status import Outcome, pack_outcome
from podwright.streams.websocket.channels import ChannelClosed, ChannelData
from podwright.streams.websocket.handshake import ChannelProtocol
from podwright.streams.wire import Buffer, Wire

READY_ORDER = (StreamType.STDOUT, StreamType.STDERR, StreamType.ERROR)


class WebSocketRemote:
    """A Remote."""

    def __init__(self, wire: Wire, protocol: ChannelProtocol, wanted: frozenset[StreamType]) -> None:
        self.stdin = Inbox()
        self.sizes = Inbox()
        self._wanted = wanted
        if StreamType.RESIZE not in wanted:
            self.sizes.end()
        self._socket = ChannelSocket(wire, protocol)
        inboxes = {StreamType.STDIN: self.stdin, StreamType.RESIZE: self.sizes}
        self._inboxes = {stream_type: inbox for stream_type, inbox in inboxes.items() if stream_type in wanted}

    async def run(self) -> None:
        try:
            await self._socket.run(self._on_channel)
        finally:
            self.stdin.end()
            self.sizes.end()

    async def ready(self) -> None:
        """Send an empty message, which tells the client that the session has begun."""
        first = next(stream_type for stream_type in READY_ORDER if stream_type in self._wanted)
        await self._socket.send(CHANNELS[first], b"")

    async def _on_channel(self, said: ChannelData | ChannelClosed) -> None:
        stream_type = STREAM_TYPES.get(said.channel)
        inbox = self._inboxes.get(stream_type) if stream_type is not None else None
        if inbox is None:
            return
        if isinstance(said, ChannelClosed):
            inbox.end()
        else:
            await inbox.put(said.payload)

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        await self._socket.send(CHANNELS[stream_type], data)

    async def conclude(self, outcome: Outcome) -> None:
        if status := pack_outcome(outcome, Version(self._socket.protocol.version)):
            await self._socket.send(CHANNELS[StreamType.ERROR], status)
        await self._socket.say_goodbye()
