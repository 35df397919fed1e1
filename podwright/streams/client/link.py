"""The streams of one exec or attach session, whatever carries them: SPDY streams or WebSocket channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from podwright.streams.remote_command.protocol import StreamType, Version
from podwright.streams.wire import Buffer

OnOutput = Callable[[StreamType, Buffer], Awaitable[None]]
FROM_SERVER = frozenset((StreamType.STDOUT, StreamType.STDERR, StreamType.ERROR))


class SessionStreams(Protocol):
    """One session's streams."""

    version: Version

    async def send(self, stream_type: StreamType, data: Buffer) -> None:
        """Raises Unavailable when the connection broke, FailedPrecondition when the server wants no more of it."""

    async def end(self, stream_type: StreamType) -> None:
        """Nothing more will be sent on this stream. Raises Unavailable. Before v5, WebSockets cannot say it."""

    async def receive(self, on_output: OnOutput) -> None:
        """Hand on what the server sends, until it has ended all its streams or the connection.

        Raises ProtocolError, and what `on_output` raises.
        """

    async def close(self) -> None:
        """Close the connection."""
