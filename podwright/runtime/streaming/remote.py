"""The streams of an exec or attach session from the server's view, for any carrier."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from podwright.runtime.model.streaming import StreamRequest
from podwright.runtime.streaming.inbox import Inbox
from podwright.streams.remote_command.protocol import STREAM_TYPE_HEADER, StreamType, Version
from podwright.streams.remote_command.status import Outcome, pack_outcome
from podwright.streams.spdy.events import StreamOpened
from podwright.streams.spdy.session import Role
from podwright.streams.spdy_connection import SpdyConnection, StreamHandler
from podwright.streams.wire import Buffer, Wire

log = logging.getLogger(__name__)

STREAMS_LIMIT = 16  # per session; five have a meaning


class Remote(Protocol):
    """The client's end of a session."""

    stdin: Inbox
    sizes: Inbox  # JSON as received

    async def run(self) -> None:
        """Receive until the client is gone, then end the inboxes. Raises ProtocolError."""

    async def ready(self) -> None:
        """Wait until the client has opened all its streams."""

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        """Send output. Waits for a slow client. Raises Unavailable if the client is gone."""

    async def conclude(self, outcome: Outcome) -> None:
        """End all streams with the outcome of the command. Raises Unavailable."""


def wanted_streams(request: StreamRequest, version: Version) -> frozenset[StreamType]:
    """The streams of a session."""
    asked = {
        StreamType.ERROR: True,
        StreamType.STDIN: request.stdin,
        StreamType.STDOUT: request.stdout,
        StreamType.STDERR: request.stderr,
        StreamType.RESIZE: request.tty and version.has_resize,
    }
    return frozenset(stream_type for stream_type, wanted in asked.items() if wanted)


class SpdyRemote:
    """A Remote whose streams are SPDY streams that the client opens."""

    def __init__(self, wire: Wire, version: Version, wanted: frozenset[StreamType]) -> None:
        self.stdin = Inbox()
        self.sizes = Inbox()
        if StreamType.RESIZE not in wanted:
            self.sizes.end()
        self._version = version
        self._wanted = wanted
        self._ids: dict[StreamType, int] = {}
        self._complete = asyncio.Event()
        self._connection = SpdyConnection(
            wire, role=Role.SERVER, on_opened=self._on_opened, streams_limit=STREAMS_LIMIT
        )

    async def run(self) -> None:
        try:
            await self._connection.run()
        finally:
            self.stdin.end()
            self.sizes.end()
            self._complete.set()

    async def ready(self) -> None:
        await self._complete.wait()
        if self._version is Version.V1 and StreamType.STDIN in self._ids:
            await self._connection.send_fin(self._ids[StreamType.STDIN])  # clients of v1 wait for it

    async def _on_opened(self, opened: StreamOpened) -> StreamHandler | None:
        name = opened.headers.get(STREAM_TYPE_HEADER, "")
        if name not in self._wanted:
            log.info("client opened an unexpected stream: type=%.32r", name)
            return _Input(None)
        stream_type = StreamType(name)
        if stream_type in self._ids:
            return None
        self._ids[stream_type] = opened.stream_id
        if len(self._ids) == len(self._wanted):
            self._complete.set()
        return _Input({StreamType.STDIN: self.stdin, StreamType.RESIZE: self.sizes}.get(stream_type))

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        await self._connection.send(self._ids[stream_type], data)

    async def conclude(self, outcome: Outcome) -> None:
        final = {
            self._ids.pop(stream_type): data
            for stream_type, data in (
                (StreamType.STDOUT, b""),
                (StreamType.STDERR, b""),
                (StreamType.ERROR, pack_outcome(outcome, self._version)),
            )
            if stream_type in self._ids
        }
        await self._connection.conclude(final)
        for stream_id in self._ids.values():
            self._connection.reset(stream_id)


class _Input:
    """A stream that the client sends on."""

    def __init__(self, inbox: Inbox | None) -> None:
        self._inbox = inbox

    async def on_data(self, payload: memoryview) -> None:
        if self._inbox is not None:
            await self._inbox.put(payload)

    async def on_end(self, *, reset: bool) -> None:  # noqa: ARG002 # either way it is over
        if self._inbox is not None:
            self._inbox.end()
