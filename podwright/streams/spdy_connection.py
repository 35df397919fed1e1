"""A SPDY session on a wire: one task receives and passes every stream's events to its handler.

Both sides use it. A server passes `on_opened`, which is called for every stream that its client opens. With windows,
a stream with a slow reader only blocks its own sender. A peer without windows is blocked as a whole, because the wire
is its only flow control.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from podwright.errors import Unavailable
from podwright.streams.spdy.events import (
    DataReceived,
    Event,
    HeadersReceived,
    StreamAccepted,
    StreamOpened,
    StreamReset,
    WindowOpened,
)
from podwright.streams.spdy.frames import Buffer, ResetStatus
from podwright.streams.spdy.session import STREAMS_LIMIT, Role, SpdySession
from podwright.streams.wire import Aside, Wire, deliver, receive_or_end


class StreamHandler(Protocol):
    """Handles the events of one stream. While a method waits, the whole connection receives nothing."""

    async def on_data(self, payload: memoryview) -> None:
        """Some bytes, valid until this returns."""

    async def on_end(self, *, reset: bool) -> None:
        """The stream's end. After a reset, sending is impossible as well. Called once."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A stream to open. With `fin`, we send nothing on it."""

    headers: Mapping[str, str]
    handler: StreamHandler
    fin: bool = False


OnOpened = Callable[[StreamOpened], Awaitable[StreamHandler | None]]


class SpdyConnection:
    """One side of a session. A task must call `run`. Closing the wire ends it."""

    def __init__(
        self,
        wire: Wire,
        *,
        role: Role = Role.CLIENT,
        on_opened: OnOpened | None = None,
        streams_limit: int = STREAMS_LIMIT,
        window_bytes: int = 0,
    ) -> None:
        """`on_opened` returns the handler for a stream that the peer opens, or None to reset it.

        Without it, all are reset.

        With `window_bytes`, handlers must call `taken`.
        """
        self._wire = wire
        self._session = SpdySession(role, streams_limit=streams_limit, window_bytes=window_bytes)
        self._on_opened = on_opened
        self._handlers: dict[int, StreamHandler] = {}
        self._held_up: dict[int, asyncio.Event] = {}  # streams whose sender waits for the peer's reader
        self._aside = Aside(wire)
        self._stopping = False
        self._announcement = self._session.announcement()  # sent before anything else
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Receive until `stop`, or until the peer ends the connection or it breaks. At the end every stream has ended.

        Raises ProtocolError, and what handlers raise.
        """
        with contextlib.suppress(Unavailable):  # the receiving side reports it as well
            await self._send()
        try:
            while not self._stopping and (data := await receive_or_end(self._wire)):
                for event in self._session.receive_data(data):
                    await self._dispatch(event)
                self._aside.send(self._session.take_answers())
        finally:
            self._aside.cancel()
            self.ended.set()
            self._let_go(0)
            for stream_id in list(self._handlers):
                await self._end(stream_id, reset=True)

    def stop(self) -> None:
        """Stop receiving, for handlers that have all they need."""
        self._stopping = True

    async def open(self, *openings: Opening) -> list[int]:
        """The ids of new streams, opened in one write. Raises Unavailable if the connection has ended."""
        if self.ended.is_set():
            raise Unavailable("the streaming connection has ended")
        ids, frames = [], []
        for opening in openings:
            stream_id, frame = self._session.open_stream(opening.headers, fin=opening.fin)
            self._handlers[stream_id] = opening.handler
            ids.append(stream_id)
            frames.append(frame)
        await self._send(*frames)
        return ids

    async def send(self, stream_id: int, data: Buffer) -> None:
        """Wait until the peer accepts all of it.

        Raises Unavailable if the connection broke, FailedPrecondition if the stream is closed.
        """
        rest = memoryview(data)
        while rest:
            count = await self._sendable_bytes(stream_id)
            await self._send(*self._session.send_data(stream_id, rest[:count]))
            rest = rest[count:]

    async def send_fin(self, stream_id: int) -> None:
        """End our direction of a stream, unless it has ended. Raises Unavailable."""
        await self._send(self._session.send_fin(stream_id))

    async def conclude(self, last_words: Mapping[int, bytes]) -> None:
        """End our direction of these streams in one write, each after its last data. Raises Unavailable."""
        parts: list[Buffer] = []
        for stream_id, words in last_words.items():
            if self._session.is_writable(stream_id):
                parts += self._session.send_data(stream_id, words, fin=True)
        await self._send(*parts)

    async def send_behind_header(self, stream_id: int, buffer: memoryview, length_bytes: int) -> None:
        """Send data in the buffer after DATA_HEADER_BYTES of free space: no gathering, no copy.

        Raises as `send` does.
        """
        begin = 0
        while begin < length_bytes:
            count = min(length_bytes - begin, await self._sendable_bytes(stream_id))
            header = self._session.data_header(stream_id, count)
            frame = buffer[begin : begin + len(header) + count]
            frame[: len(header)] = header  # overwrites the header of the last frame
            await self._send(frame)
            begin += count

    def reset(self, stream_id: int) -> None:
        """End both directions of a stream soon, without a call of its handler."""
        self._handlers.pop(stream_id, None)
        self._aside.send(self._session.reset(stream_id, ResetStatus.CANCEL))
        self._let_go(stream_id)

    def taken(self, stream_id: int, count_bytes: int) -> None:
        """`count_bytes` of a stream were consumed: the peer may send more."""
        self._aside.send(self._session.taken(stream_id, count_bytes))

    async def _sendable_bytes(self, stream_id: int) -> int:
        """Wait until the peer accepts data. Raises as `send` does."""
        while not (count := self._session.sendable_bytes(stream_id)):
            if self.ended.is_set():
                raise Unavailable("the streaming connection has ended")
            await self._held_up.setdefault(stream_id, asyncio.Event()).wait()
        return count

    def _let_go(self, stream_id: int) -> None:
        """Wake the stream's sender. 0: all senders."""
        for each in [stream_id] if stream_id else list(self._held_up):
            if (waiting := self._held_up.pop(each, None)) is not None:
                waiting.set()

    async def _send(self, *parts: Buffer) -> None:
        if self._announcement:
            parts, self._announcement = (self._announcement, *parts), b""
        await deliver(self._wire, *parts)

    async def _dispatch(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            handler = self._handlers.get(event.stream_id)
            if handler is not None and event.payload:
                await handler.on_data(event.payload)
            if event.fin:
                await self._end(event.stream_id, reset=False)
        elif isinstance(event, WindowOpened):
            self._let_go(event.stream_id)
        elif isinstance(event, StreamReset):
            self._let_go(event.stream_id)
            await self._end(event.stream_id, reset=True)
        elif isinstance(event, StreamAccepted | HeadersReceived) and event.fin:
            await self._end(event.stream_id, reset=False)
        elif isinstance(event, StreamOpened):
            await self._decide(event)

    async def _decide(self, opened: StreamOpened) -> None:
        # Accept first, because Go's clients drop data before the reply.
        self._aside.send(self._session.accept(opened.stream_id))
        handler = await self._on_opened(opened) if self._on_opened is not None else None
        if handler is None:
            self._aside.send(self._session.reset(opened.stream_id, ResetStatus.REFUSED_STREAM))
            return
        self._handlers[opened.stream_id] = handler
        if opened.fin:
            await self._end(opened.stream_id, reset=False)

    async def _end(self, stream_id: int, *, reset: bool) -> None:
        handler = self._handlers.pop(stream_id, None)
        if handler is not None:
            await handler.on_end(reset=reset)
