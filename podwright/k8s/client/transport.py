"""Requests to one API server: identity, deadlines, silence, and failures as ours.

Connections belong to a key pair. When the credentials give another one, new requests take new connections, watches on
the old ones are cut (they go on elsewhere, where they were), and the old ones close after their last answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import h11
import msgspec

from podwright.errors import FailedPrecondition
from podwright.k8s.client.calls import NO_ANSWER, ApiCall, CallListener, NoListener
from podwright.k8s.client.connection import HttpConnection
from podwright.k8s.client.endpoint import Credentials, Endpoint, Identity
from podwright.k8s.client.failures import Garbled, Renewed, Silent, Unreachable, read_failure
from podwright.k8s.client.pool import Pool
from podwright.k8s.client.requests import ApiRequest

ANSWER_LIMIT_BYTES = 256 * 1024 * 1024
HINT = "is the API server up, and is this its address?"


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `retry_after` is the header's text."""

    code: int
    body: bytes
    retry_after: str = ""


class _Outcome(msgspec.Struct):
    """What is known of an answer."""

    code: str = NO_ANSWER
    received_bytes: int | None = None


class Transport:
    """Requests to one server. `close` ends all of them."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, listener: CallListener | None = None) -> None:
        """`listener` gets each call."""
        self.listener = listener or NoListener()
        self.host = endpoint.url.partition("://")[2].partition("/")[0]
        self._endpoint = endpoint
        self._credentials = credentials
        self._pool: Pool | None = None
        self._retired: list[Pool] = []
        self._closed = False

    async def send(self, request: ApiRequest) -> HttpAnswer:
        """The answer, whatever its code. The caller sets the deadline. Raises Unreachable, Garbled and what
        credentials raise."""
        identity = await self._credentials.identity()
        answer = await self._sent(request, identity)
        if answer.code == 401 and self._credentials.refused(identity):
            answer = await self._sent(request, await self._credentials.identity())
        return answer

    async def _sent(self, request: ApiRequest, identity: Identity) -> HttpAnswer:
        pool = self._current(identity)
        with self._counted(request) as outcome, self._reported(request.what):
            head, connection = await pool.ask(request, identity)
            try:
                outcome.code = str(head.code)
                body = await _body(connection, request.what)
            finally:
                pool.give_back(connection)
            outcome.received_bytes = len(body)
            return HttpAnswer(code=head.code, body=body, retry_after=head.headers.get("retry-after", ""))

    @contextlib.asynccontextmanager
    async def stream(
        self, request: ApiRequest, *, open_s: float, idle_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's bytes as they come, after an answer of success within `open_s`.

        Raises ApiFailure, Unreachable, Silent (from the iterator, when nothing comes for `idle_s`) and Garbled.
        """
        identity = await self._credentials.identity()
        pool = self._current(identity)
        with contextlib.ExitStack() as stack:
            with self._counted(request) as outcome, self._reported(request.what):
                async with asyncio.timeout(open_s):
                    head, connection = await pool.ask(request, identity)
                    stack.callback(pool.give_back, connection)  # the rest is of no use, and may never end
                    outcome.code = str(head.code)
                    if head.code != 200:
                        body = await _body(connection, request.what)
                        if head.code == 401:
                            self._credentials.refused(identity)
                        raise _refusal(head.code, body, request.what, head.headers.get("retry-after", ""))
            pool.follow(connection)
            yield self._pieces(connection, pool, request.what, idle_s)

    @contextlib.contextmanager
    def _counted(self, request: ApiRequest) -> Iterator[_Outcome]:
        """Report a call when it has its answer, or has failed."""
        began, outcome = time.monotonic(), _Outcome()
        try:
            yield outcome
        finally:
            self.listener.called(
                ApiCall(
                    host=self.host,
                    method=request.method,
                    code=outcome.code,
                    seconds=time.monotonic() - began,
                    sent_bytes=len(request.body),
                    received_bytes=outcome.received_bytes,
                )
            )

    async def _pieces(self, connection: HttpConnection, pool: Pool, what: str, idle_s: float) -> AsyncIterator[bytes]:
        while True:
            try:
                piece = await self._piece(connection, what, idle_s)
            except Unreachable:
                if not pool.is_retired:
                    raise
                piece = b""
            if pool.is_retired:
                raise Renewed(f"cannot {what}: the connection was replaced by one with a newer certificate")
            if not piece:
                return
            yield piece

    async def _piece(self, connection: HttpConnection, what: str, idle_s: float) -> bytes:
        try:
            with self._reported(what):
                async with asyncio.timeout(idle_s):
                    return await connection.piece()
        except TimeoutError as late:
            raise Silent(f"cannot {what}: {self._endpoint.url}: nothing for {idle_s:g} s", hint=HINT) from late

    def _current(self, identity: Identity) -> Pool:
        """Raises Unreachable, and FailedPrecondition for certificates that cannot be used."""
        if self._closed:
            raise Unreachable(f"{self._endpoint.url}: the client is closed")
        current = self._pool
        if current is not None and current.key_pair == identity.key_pair:
            return current
        fresh = self._pool = Pool(self._endpoint, identity.key_pair)
        if current is not None:
            current.retire()
            self._retired = [pool for pool in (*self._retired, current) if not pool.is_empty]
        return fresh

    async def close(self) -> None:
        """End all connections. Calls fail from now on."""
        self._closed = True
        pools = [*self._retired, *([self._pool] if self._pool is not None else [])]
        self._pool, self._retired = None, []
        for pool in pools:
            await pool.close()

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Failures of connections and of HTTP as ours. A deadline of the caller passes as it is."""
        where = f"cannot {what}: {self._endpoint.url}"
        try:
            yield
        except OSError as failure:
            if type(failure) is TimeoutError and not failure.errno:
                raise  # the deadline; with a number, it is the kernel that has given the connection up
            text = failure.strerror or str(failure) or type(failure).__name__
            raise Unreachable(f"{where}: {text}", hint=HINT) from failure
        except h11.RemoteProtocolError as failure:
            raise Garbled(f"{where}: {failure}") from failure
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise FailedPrecondition(
                f"{where}: this cannot be sent: the token or the URL has characters that HTTP does not allow"
            ) from None  # the cause's text shows the token


async def _body(connection: HttpConnection, what: str) -> bytes:
    pieces = bytearray()
    while piece := await connection.piece():
        pieces += piece
        if len(pieces) > ANSWER_LIMIT_BYTES:
            raise Garbled(f"cannot {what}: the answer is longer than {ANSWER_LIMIT_BYTES} bytes")
    return bytes(pieces)


def _refusal(code: int, body: bytes, what: str, retry_after: str) -> Exception:
    if code < 400:
        return Garbled(f"cannot {what}: the server answers with HTTP {code}")
    return read_failure(code, body, what, retry_after=retry_after)
