"""HTTP/1.1 on one connection: a request, its answer piece by piece, then the next request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import h11
import msgspec

from podwright.k8s.client.dialing import ByteStream

HEAD_LIMIT_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024

Headers = Sequence[tuple[str, str]]


class Unanswered(ConnectionError):
    """The connection ended before the first byte of an answer: the server may have closed it while it was idle."""


class AnswerHead(msgspec.Struct, frozen=True, kw_only=True):
    """`headers` with names in lower case."""

    code: int
    headers: dict[str, str]


class HttpConnection:
    """One request at a time. Every method but `close` raises OSError and h11.RemoteProtocolError."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self._heard = False  # of the answer to this request
        self._closed = False

    @property
    def is_free(self) -> bool:
        """Whether it can take a request: the last answer is complete, nothing follows it, and nobody has closed it."""
        is_idle = self._http.our_state is h11.IDLE and not self._http.trailing_data[0]
        return is_idle and not self._closed and not self._stream.is_over

    async def is_silent(self) -> bool:
        """Whether a free connection has stayed so.

        What a server sends before it is asked is no answer to the next request: a proxy says 408 before it closes.
        """
        with contextlib.suppress(OSError):
            try:
                async with asyncio.timeout(0):
                    await self._stream.reader.read(1)
            except TimeoutError:
                return self.is_free
        return False

    async def ask(self, method: str, target: str, headers: Headers, body: bytes) -> AnswerHead:
        """Send a request. The head of its answer, whose body `piece` reads. Raises Unanswered too."""
        self._heard = False
        if body:
            headers = [*headers, ("Content-Length", str(len(body)))]
        parts: list[h11.Event] = [h11.Request(method=method, target=target, headers=list(headers))]
        if body:
            parts.append(h11.Data(data=body))
        parts.append(h11.EndOfMessage())
        try:
            self._stream.writer.write(b"".join(self._http.send(part) or b"" for part in parts))
            await self._stream.writer.drain()
            return await self._head()
        except OSError as failure:
            if self._heard:
                raise
            raise Unanswered(*failure.args) from failure

    async def _head(self) -> AnswerHead:
        while not isinstance(event := await self._next(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise Unanswered("the server has closed the connection")
        return AnswerHead(
            code=event.status_code,
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in event.headers},
        )

    async def piece(self) -> bytes:
        """The next bytes of the answer. None are left: b"", and the connection is free if both sides keep it."""
        event = await self._next()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return b""

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if data := await self._stream.reader.read(PIECE_BYTES):
                self._heard = True
                self._http.receive_data(data)
            else:
                return self._last()
        return event

    def _last(self) -> object:
        """Interpret the end of the stream: the end of an answer without a length, or a broken one."""
        if not self._heard:
            raise Unanswered("the server has closed the connection")
        self._http.receive_data(b"")
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as failure:
            raise ConnectionError(f"the answer is cut off: {failure}") from failure

    def abort(self) -> None:
        """End it. Who reads from it finds it ended."""
        self._closed = True
        self._stream.writer.transport.abort()

    async def close(self) -> None:
        """End it, and return when it has ended. A closed one succeeds."""
        self._closed = True
        await self._stream.close()
