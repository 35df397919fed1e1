"""Exec and attach over SPDY: each stream of the session is a SPDY stream."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.streams.client.link import FROM_SERVER, OnOutput
from podwright.streams.remote_command.protocol import STREAM_TYPE_HEADER, StreamType, Version
from podwright.streams.spdy_connection import Opening, SpdyConnection
from podwright.streams.wire import Buffer, Wire


class SpdyLink:
    """SessionStreams over SPDY."""

    def __init__(self, wire: Wire, version: Version) -> None:
        self.version = version
        self._wire = wire
        self._connection = SpdyConnection(wire)
        self._ids: dict[StreamType, int] = {}
        self._open: set[StreamType] = set()  # the server ends these
        self._on_output: OnOutput | None = None

    async def open(self, streams: Iterable[StreamType]) -> None:
        """Open the session's streams. The server starts when all exist. Raises Unavailable."""
        types = list(streams)
        self._open.update(FROM_SERVER.intersection(types))
        ids = await self._connection.open(
            *(Opening(headers={STREAM_TYPE_HEADER: each.value}, handler=_Handler(self, each)) for each in types)
        )
        self._ids.update(zip(types, ids, strict=True))

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        await self._connection.send(self._ids[stream_type], data)

    async def end(self, stream_type: StreamType) -> None:
        await self._connection.send_fin(self._ids[stream_type])

    async def receive(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        await self._connection.run()

    async def close(self) -> None:
        await self._wire.close()

    async def on_data(self, stream_type: StreamType, payload: Buffer) -> None:
        """Some bytes of a stream."""
        if self._on_output is not None and stream_type in FROM_SERVER:
            await self._on_output(stream_type, payload)

    def on_end(self, stream_type: StreamType) -> None:
        """A stream has ended."""
        self._open.discard(stream_type)
        if not self._open:
            self._connection.stop()


class _Handler:
    """Passes events to the link with the stream's type."""

    def __init__(self, link: SpdyLink, stream_type: StreamType) -> None:
        self._link = link
        self._stream_type = stream_type

    async def on_data(self, payload: memoryview) -> None:
        await self._link.on_data(self._stream_type, payload)

    async def on_end(self, *, reset: bool) -> None:  # noqa: ARG002 # either way it is over
        self._link.on_end(self._stream_type)
