"""Serves one HTTP/1.1 connection: its requests one after another, until it ends or changes its protocol.

    head within HEAD_S (the next ones within IDLE_S) -> body within BODY_S -> handler -> answer -> the next head

An invalid or too large request is refused, and the connection is closed. If the client goes, its handler is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import h11

from podwright.agent.server.http.dates import http_date
from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, Takeover, text
from podwright.streams import upgrade
from podwright.streams.wire import Wire
from podwright.tasks import is_cancelled, task_of

log = logging.getLogger(__name__)

HEAD_LIMIT_BYTES = 256 * 1024  # the command of an exec is in the URL: words of up to 128 KiB (execve(2)), escaped
BODY_LIMIT_BYTES = 64 * 1024  # no request of the API needs more
HEAD_S = 10.0
BODY_S = 10.0
IDLE_S = 90.0  # between two requests, as in Go's servers
LINGER_S = 1.0  # after a refusal, so that the client can read it before the connection is reset
SWITCHING_PROTOCOLS = 101

Serve = Callable[[HttpRequest], Awaitable[Answer]]


class Exchange:
    """One connection and its state."""

    def __init__(
        self,
        wire: Wire,
        serve: Serve,
        *,
        certificate: Mapping[str, object] | None = None,
        is_current: Callable[[], bool] = lambda: True,
        stall_s: float,
    ) -> None:
        """`stall_s` limits how long a part of an answer waits for a client that does not read.

        When `is_current` returns False, the authorities of clients have changed. The connection then serves no further
        request.
        """
        self._is_current = is_current
        self._wire = wire
        self._serve = serve
        self._certificate = certificate
        self._stall_s = stall_s
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self._reading: asyncio.Task[bytes] | None = None  # cancelled only at the end, because it may already have data

    async def run(self) -> None:
        """Serve until the connection ends. The caller closes the wire. Raises OSError and TimeoutError."""
        wait_s = HEAD_S
        try:
            while (head := await self._head(wait_s)) is not None and self._is_current():
                body = await self._body()
                request = HttpRequest(head=head, certificate=self._certificate, body=body)
                if not await self._answer(request):
                    return
                wait_s = IDLE_S
        except h11.RemoteProtocolError as failure:
            await self._refuse(failure.error_status_hint, str(failure))
        finally:
            await self._stop_reading()

    async def _head(self, wait_s: float) -> upgrade.UpgradeRequest | None:
        try:
            async with asyncio.timeout(wait_s):
                event = await self._next()
        except TimeoutError:
            return None
        if not isinstance(event, h11.Request):
            return None
        return upgrade.UpgradeRequest(
            method=event.method.decode("ascii"),
            target=event.target.decode("latin-1"),
            headers=tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers),
        )

    async def _body(self) -> bytes:
        body = bytearray()
        async with asyncio.timeout(BODY_S):
            while True:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                event = await self._next()
                if not isinstance(event, h11.Data):
                    return bytes(body)
                body += event.data
                if len(body) > BODY_LIMIT_BYTES:
                    raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._read())
        return event

    async def _read(self) -> bytes:
        """The next bytes. Nothing is lost when the caller is cancelled."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._receive(), name="read a request")
        data = await asyncio.shield(self._reading)
        self._reading = None
        return data

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._wire.receive())
        except OSError:  # a broken connection has ended
            return b""

    async def _stop_reading(self) -> bytes:
        """Stop reading. Returns the unused bytes."""
        reading, self._reading = self._reading, None
        if reading is None:
            return b""
        reading.cancel()
        await asyncio.wait({reading})
        return b"" if reading.cancelled() or reading.exception() is not None else reading.result()

    async def _answer(self, request: HttpRequest) -> bool:
        """Answer a request. Returns whether the connection can serve another one."""
        answer = await self._while_connected(self._serve(request))
        if answer is None:
            return False
        if isinstance(answer, Takeover):
            await self._hand_over(answer)
            return False
        await self._respond(request, answer)
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _while_connected(self, work: Awaitable[Answer]) -> Answer | None:
        """The handler's answer. If the client goes first, the handler is cancelled and the result is None."""
        handling = task_of(work, name="answer")
        try:
            async with self._watching(handling):
                return await handling
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return None  # the watch has ended the handler

    @contextlib.asynccontextmanager
    async def _watching(self, handling: asyncio.Future[Answer]) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._until_gone(), name="watch a client")
        watch.add_done_callback(lambda done: None if done.cancelled() or not done.result() else handling.cancel())
        try:
            yield
        finally:
            await self._end_watch(watch)
            if not handling.done():
                handling.cancel()
                await asyncio.wait({handling})

    async def _until_gone(self) -> bool:
        """Wait until the client goes. What it sends meanwhile is kept for the next request, up to a limit."""
        while True:
            data = await self._read()
            self._http.receive_data(data)
            if not data:
                return True
            if len(self._http.trailing_data[0]) > BODY_LIMIT_BYTES:
                return False

    async def _end_watch(self, watch: asyncio.Task[bool]) -> None:
        watch.cancel()
        await asyncio.wait({watch})

    async def _respond(self, request: HttpRequest, answer: HttpResponse) -> None:
        headers = [("date", http_date()), ("content-type", answer.content_type), *answer.headers]
        body, is_head = answer.body, request.method == "HEAD"
        if isinstance(body, bytes):
            headers.append(("content-length", str(len(body))))
            data = [h11.Data(data=body)] if body and not is_head else []
            await self._send(_head_of(answer.status, headers), *data, h11.EndOfMessage())
            return
        await self._send(_head_of(answer.status, headers))
        if not is_head:
            await self._send_parts(body)
        await self._send(h11.EndOfMessage())

    async def _send_parts(self, parts: AsyncIterator[bytes]) -> None:
        """Send the parts. Raises ConnectionResetError if the client goes."""
        watch = asyncio.create_task(self._until_gone(), name="watch a client")
        try:
            while True:
                step = task_of(anext(parts, b""), name="next part")
                await asyncio.wait({step, watch}, return_when=asyncio.FIRST_COMPLETED)
                if watch.done() and watch.result():
                    step.cancel()
                    await asyncio.wait({step})
                    raise ConnectionResetError("the client has gone")
                if watch.done():
                    await asyncio.wait({step})
                if not (data := await step):
                    return
                await self._send(h11.Data(data=data))
        finally:
            await self._end_watch(watch)
            if (close := getattr(parts, "aclose", None)) is not None:
                await close()

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        async with asyncio.timeout(self._stall_s):
            await self._wire.send(data)

    async def _hand_over(self, takeover: Takeover) -> None:
        switch = h11.InformationalResponse(
            status_code=SWITCHING_PROTOCOLS, headers=list(takeover.headers), reason=b"Switching Protocols"
        )
        try:
            head = self._http.send(switch) or b""
            self._wire.push_back(self._http.trailing_data[0] + await self._stop_reading())
            async with asyncio.timeout(self._stall_s):
                await self._wire.send(head)
        except BaseException:
            await takeover.abandon()
            raise
        await takeover.session(self._wire)

    async def _refuse(self, status: int, message: str) -> None:
        log.info("a request was refused: status=%d reason=%s", status, message)
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        body = f"{status} {http.HTTPStatus(status).phrase}: {message}"
        answer = text(body, status)
        headers = [("content-type", answer.content_type), ("content-length", str(len(body))), ("connection", "close")]
        await self._send(
            _head_of(status, headers),
            h11.Data(data=body.encode()),
            h11.EndOfMessage(),
        )
        with contextlib.suppress(OSError, TimeoutError):
            await self._wire.finish()
            async with asyncio.timeout(LINGER_S):
                while await self._read():
                    pass


def _head_of(status: int, headers: list[tuple[str, str]]) -> h11.Response:
    """The head of an answer. An unknown status gets an empty reason."""
    known = status in http.HTTPStatus.__members__.values()
    reason = http.HTTPStatus(status).phrase.encode() if known else b""
    return h11.Response(status_code=status, headers=headers, reason=reason)
