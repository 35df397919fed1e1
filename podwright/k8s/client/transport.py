"""HTTP to one API server: connections, TLS, identity, silence. The only file of the client that knows aiohttp.

Connections belong to a key pair. When the credentials give another one, new requests take new connections, watches on
the old ones are cut (they go on elsewhere, where they were), and the old ones close after their last answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from asyncio import sslproto
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from podwright import __version__, proxies
from podwright.errors import FailedPrecondition
from podwright.k8s.client.calls import NO_ANSWER, ApiCall, CallListener, NoListener
from podwright.k8s.client.endpoint import Credentials, Endpoint, Identity, KeyPair
from podwright.k8s.client.failures import Garbled, Renewed, Silent, Unreachable, read_failure
from podwright.k8s.client.requests import ApiRequest
from podwright.k8s.client.tls import client_context

CONNECT_TIMEOUT_S = 15.0
# A peer that has vanished silently is noticed by the kernel: probes from 30 s on, and what is sent and not
# acknowledged for so long ends the connection (tcp(7)).
KEEPALIVE_IDLE_S = 30
UNACKNOWLEDGED_MS = 30_000
ANSWER_LIMIT_BYTES = 256 * 1024 * 1024
READ_BUFFER_BYTES = 64 * 1024
# asyncio gives every TLS connection a buffer of 256 KiB, filled with zeros: 75 MiB for the 300 watches of a full node.
# A record of TLS has 16 KiB at most.
sslproto.SSLProtocol.max_size = 16 * 1024
HEADERS = {"User-Agent": f"podwright/{__version__}", "Accept": "application/json"}


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `retry_after` is the header's text."""

    code: int
    body: bytes
    retry_after: str = ""


class _Connections(msgspec.Struct, kw_only=True, eq=False):
    """The connections of one key pair, with what uses them."""

    key_pair: KeyPair | None
    session: aiohttp.ClientSession
    streams: set[aiohttp.ClientResponse] = msgspec.field(default_factory=set)
    calls: int = 0
    retired: bool = False


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
        self._connections: _Connections | None = None
        self._retired: set[_Connections] = set()
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
        connections = await self._current(identity)
        connections.calls += 1
        try:
            with self._counted(request) as outcome, _reported(request.what, self._endpoint.url):
                async with self._request(connections, request, identity, idle_s=None) as response:
                    outcome.code = str(response.status)
                    body = await _body(response, request.what)
                    outcome.received_bytes = len(body)
                    return HttpAnswer(
                        code=response.status, body=body, retry_after=response.headers.get("Retry-After", "")
                    )
        finally:
            connections.calls -= 1
            await self._sweep()

    @contextlib.asynccontextmanager
    async def stream(
        self, request: ApiRequest, *, open_s: float, idle_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's bytes as they come, after an answer of success within `open_s`.

        Raises ApiFailure, Unreachable, Silent (from the iterator, when nothing comes for `idle_s`) and Garbled.
        """
        identity = await self._credentials.identity()
        connections = await self._current(identity)
        async with contextlib.AsyncExitStack() as stack:
            with self._counted(request) as outcome, _reported(request.what, self._endpoint.url):
                async with asyncio.timeout(open_s):
                    response = await stack.enter_async_context(
                        self._request(connections, request, identity, idle_s=idle_s)
                    )
                    outcome.code = str(response.status)
                    if response.status != 200:
                        body = await _body(response, request.what)
                        if response.status == 401:
                            self._credentials.refused(identity)
                        raise _refusal(response, body, request.what)
            connections.streams.add(response)
            stack.callback(connections.streams.discard, response)
            stack.callback(response.close)  # the rest is of no use, and may never end
            yield self._pieces(response, connections, request.what)

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

    async def _pieces(
        self, response: aiohttp.ClientResponse, connections: _Connections, what: str
    ) -> AsyncIterator[bytes]:
        while True:
            try:
                with _reported(what, self._endpoint.url):
                    piece = await response.content.readany()
            except Unreachable:
                if not connections.retired:
                    raise
                piece = b""
            if connections.retired:
                raise Renewed(f"cannot {what}: the connection was given up for one with a newer certificate")
            if not piece:
                return
            yield piece

    def _request(
        self, connections: _Connections, request: ApiRequest, identity: Identity, *, idle_s: float | None
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {**HEADERS, **identity.headers}
        if request.body:
            headers["Content-Type"] = request.content_type
        return connections.session.request(
            request.method,
            self._url(request.target),
            headers=headers,
            data=request.body or None,
            allow_redirects=False,
            proxy=self._proxy(),
            server_hostname=self._endpoint.server_name or None,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=idle_s),
        )

    def _proxy(self) -> str | None:
        """The kubeconfig's, or what the environment says."""
        if self._endpoint.proxy_url:
            return self._endpoint.proxy_url
        try:
            return proxies.choose(self._endpoint.url, os.environ)
        except ValueError as failure:
            raise FailedPrecondition(f"{self._endpoint.url}: {failure}") from failure

    def _url(self, target: str) -> URL:
        # Encoded already: yarl must not change what was quoted.
        return URL(f"{self._endpoint.url.rstrip('/')}{target}", encoded=True)

    async def _current(self, identity: Identity) -> _Connections:
        if self._closed:
            raise Unreachable(f"{self._endpoint.url}: the client is closed")
        current = self._connections
        if current is not None and current.key_pair == identity.key_pair:
            return current
        fresh = self._connections = self._opened(identity.key_pair)
        if current is not None:
            self._retire(current)
            await self._sweep()
        return fresh

    def _opened(self, key_pair: KeyPair | None) -> _Connections:
        connector = aiohttp.TCPConnector(
            limit=0,  # every watch has a connection of its own
            ssl=client_context(self._endpoint, key_pair) if self._endpoint.url.startswith("https:") else True,
            socket_factory=_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=READ_BUFFER_BYTES
        )
        return _Connections(key_pair=key_pair, session=session)

    def _retire(self, connections: _Connections) -> None:
        connections.retired = True
        self._retired.add(connections)
        for response in list(connections.streams):
            response.close()

    async def _sweep(self) -> None:
        """Close what was retired and has answered its last call."""
        for connections in [each for each in self._retired if not each.calls]:
            self._retired.discard(connections)
            await connections.session.close()

    async def close(self) -> None:
        """End all connections. Calls fail from now on."""
        self._closed = True
        if self._connections is not None:
            self._retire(self._connections)
            self._connections = None
        for connections in self._retired:
            await connections.session.close()
        self._retired.clear()


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_IDLE_S // 3)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    return opened


async def _body(response: aiohttp.ClientResponse, what: str) -> bytes:
    pieces = bytearray()
    while piece := await response.content.readany():
        pieces += piece
        if len(pieces) > ANSWER_LIMIT_BYTES:
            raise Garbled(f"cannot {what}: the answer is longer than {ANSWER_LIMIT_BYTES} bytes")
    return bytes(pieces)


def _refusal(response: aiohttp.ClientResponse, body: bytes, what: str) -> Exception:
    if response.status < 400:
        return Garbled(f"cannot {what}: the server answers with HTTP {response.status}")
    return read_failure(response.status, body, what, retry_after=response.headers.get("Retry-After", ""))


@contextlib.contextmanager
def _reported(what: str, url: str) -> Iterator[None]:
    """aiohttp's failures as ours. A deadline of the caller passes as it is."""
    try:
        yield
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError) as failure:
        if type(failure) is TimeoutError and not failure.errno:
            raise  # the deadline; with a number, it is the kernel that has given the connection up
        text = str(failure) or type(failure).__name__
        kind = Silent if isinstance(failure, aiohttp.SocketTimeoutError) else Unreachable
        raise kind(f"cannot {what}: {url}: {text}", hint="is the API server up, and is this its address?") from failure
    except aiohttp.ClientError as failure:
        raise Garbled(f"cannot {what}: {url}: {failure}") from failure
