"""Translates exec and attach from a client's WebSocket channels to SPDY for the runtime.

Runtimes need not support v5, the protocol that can close stdin, so a kubelet translates it (KEP 4006).

    stdin, sizes: channels 0, 4 -> SPDY streams        stdout, stderr: SPDY streams -> channels 1, 2
    the runtime's status -> channel 3, and the WebSocket closes
"""

from __future__ import annotations

import asyncio
import contextlib

from podwright.agent.server.http.messages import Answer, Takeover
from podwright.agent.server.streaming.activity import ActiveWire, StreamActivity
from podwright.errors import FailedPrecondition, PodwrightError, Unavailable
from podwright.streams import upgrade
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.link import SessionStreams
from podwright.streams.client.opening import open_link
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import CHANNELS, SPDY_PROTOCOLS, STREAM_TYPES, StreamType, Version
from podwright.streams.remote_command.status import STATUS_LIMIT_BYTES, Outcome, pack_outcome, parse_outcome
from podwright.streams.websocket import handshake
from podwright.streams.websocket.channels import ChannelClosed, ChannelData, ChannelReader, ChannelWriter
from podwright.streams.websocket.connection import SERVER, Closed, Piece, WebSocket
from podwright.streams.wire import Aside, Buffer, Wire

STREAM_CLOSE = "v5.channel.k8s.io"
FROM_CLIENT = frozenset({StreamType.STDIN, StreamType.RESIZE})
GOODBYE_S = 5.0


def is_translated(head: upgrade.UpgradeRequest) -> bool:
    """Whether the client offers a protocol that runtimes may not support."""
    return head.asks_for(handshake.WEBSOCKET) and STREAM_CLOSE in handshake.offered_protocols(head)


async def translate(
    url: str, head: upgrade.UpgradeRequest, streams: list[StreamType], *, idle_timeout_s: float
) -> Answer:
    """Translate one session. Raises ProtocolError for an invalid handshake, and what `opening.open_link` raises."""
    chosen = handshake.choose_channels(handshake.offered_protocols(head)) or ""
    headers = tuple(handshake.answer_headers(head, chosen))
    link = await open_link(url, streams, transport=StreamTransport.SPDY, protocols=list(SPDY_PROTOCOLS))

    async def session(client: Wire) -> None:
        activity = StreamActivity()
        translation = _Translation(ActiveWire(client, activity), link, chosen, streams)
        idle = asyncio.create_task(activity.until_idle(idle_timeout_s), name="close an idle stream")
        try:
            await translation.run(idle)
        finally:
            idle.cancel()
            await link.close()

    return Takeover(headers=headers, session=session, abandon=link.close)


class _Translation:
    def __init__(self, client: Wire, link: SessionStreams, chosen: str, streams: list[StreamType]) -> None:
        protocol = handshake.channel_protocol(chosen)
        if protocol is None:
            raise ProtocolError(f"{chosen!r} is not a channel protocol")
        self._client = client
        self._link = link
        self._streams = streams
        self._version = Version(protocol.version)
        self._websocket = WebSocket(SERVER)
        self._writer = ChannelWriter(self._websocket, protocol)
        self._reader = ChannelReader(protocol)
        self._aside = Aside(client)
        self._said = bytearray()  # received on the runtime's error stream

    async def run(self, idle: asyncio.Task[None]) -> None:
        upward = asyncio.create_task(self._receive(), name="client to runtime")
        downward = asyncio.create_task(self._run_link(), name="runtime to client")
        try:
            await asyncio.wait((upward, downward, idle), return_when=asyncio.FIRST_COMPLETED)
            if downward.done():
                await self._conclude(downward.result(), upward)
        finally:
            upward.cancel()
            downward.cancel()
            await asyncio.gather(upward, downward, return_exceptions=True)
            self._aside.cancel()

    async def _run_link(self) -> Outcome:
        """The result of the command, or the failure of the session."""
        try:
            await self._announce()
            await self._link.receive(self._on_output)
            if not self._said and self._link.version.has_json_status:
                return Outcome(failure="the runtime ended the stream without a status")
            return parse_outcome(bytes(self._said), self._link.version)
        except (OSError, PodwrightError) as failure:
            return Outcome(failure=str(failure))

    async def _announce(self) -> None:
        """Send an empty message on the lowest channel that the server writes to, because clients wait for it."""
        lowest = min(CHANNELS[each] for each in self._streams if each not in FROM_CLIENT)
        await self._client.send(self._writer.send_data(lowest, b""))

    async def _on_output(self, stream_type: StreamType, data: Buffer) -> None:
        if stream_type is StreamType.ERROR:
            self._said += data[: STATUS_LIMIT_BYTES - len(self._said)]
            return
        await self._client.send(self._writer.send_data(CHANNELS[stream_type], data))

    async def _receive(self) -> None:
        """Receive from the client until it goes."""
        try:
            while data := await self._client.receive():
                try:
                    for event in self._websocket.receive_data(data):
                        if isinstance(event, Closed):
                            return
                        if isinstance(event, Piece):
                            await self._take(event)
                finally:
                    self._aside.send(self._websocket.take_answers())
        except (OSError, ProtocolError, Unavailable):
            return

    async def _take(self, piece: Piece) -> None:
        for said in self._reader.feed(piece):
            stream_type = STREAM_TYPES.get(said.channel)
            if stream_type not in FROM_CLIENT or stream_type not in self._streams:
                continue
            with contextlib.suppress(FailedPrecondition, KeyError):  # the runtime takes no more input
                if isinstance(said, ChannelClosed):
                    await self._link.end(stream_type)
                elif isinstance(said, ChannelData) and len(said.payload):
                    await self._link.send(stream_type, said.payload)

    async def _conclude(self, outcome: Outcome, upward: asyncio.Task[None]) -> None:
        with contextlib.suppress(OSError, PodwrightError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._client.send(
                    self._writer.send_data(CHANNELS[StreamType.ERROR], pack_outcome(outcome, self._version))
                )
                await self._client.send(self._websocket.close())
                await asyncio.wait({upward})
