"""The streams of one exec or attach session for any carrier: SPDY streams or WebSocket channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from podwright.streams.remote_command.protocol import StreamType, Version
from podwright.streams.wire import Buffer

OnOutput = Callable[[StreamType, Buffer], Awaitable[None]]
FROM_SERVER = frozenset((StreamType.STDOUT, StreamType.STDERR, StreamType.ERROR))


class SessionStreams(Protocol):
    """The streams of one session."""

    version: Version

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        """Send data.

        Raises Unavailable if the connection broke, FailedPrecondition if the server has closed the stream.
        """

    async def end(self, stream_type: StreamType) -> None:
        """End the sending direction of a stream. Raises Unavailable. Before v5, WebSockets cannot express it."""

    async def receive(self, on_output: OnOutput) -> None:
        """Pass the server's output on until it has ended all its streams or the connection.

        Raises ProtocolError, and what `on_output` raises.
        """

    async def close(self) -> None:
        """Close the connection."""
