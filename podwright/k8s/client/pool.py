"""The connections of one key pair: those that wait for their next request, and those in use."""

from __future__ import annotations

import asyncio
import os
import time
from urllib.parse import urlsplit

from podwright import __version__, proxies
from podwright.errors import FailedPrecondition
from podwright.k8s.client.connection import AnswerHead, Headers, HttpConnection, Unanswered
from podwright.k8s.client.dialing import Way, dial, proxy_headers
from podwright.k8s.client.endpoint import Endpoint, Identity, KeyPair
from podwright.k8s.client.requests import ApiRequest
from podwright.k8s.client.tls import client_context

CONNECT_TIMEOUT_S = 15.0
IDLE_S = 15.0  # what stands before a server may drop idle connections silently
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})  # twice has the effect of once (RFC 9110, 9.2.2)


class Pool:
    """There is no limit: every watch has a connection of its own."""

    def __init__(self, endpoint: Endpoint, key_pair: KeyPair | None) -> None:
        """Raises FailedPrecondition for certificates and proxies that cannot be used."""
        server = urlsplit(endpoint.url)
        self.key_pair = key_pair
        self.is_retired = False
        self._is_closed = False
        self._way = Way(
            url=endpoint.url,
            context=client_context(endpoint, key_pair) if server.scheme == "https" else None,
            server_name=endpoint.server_name,
            proxy=_proxy(endpoint),
        )
        passed_on = self._way.proxy is not None and self._way.context is None
        self._before_target = (endpoint.url if passed_on else server.path).rstrip("/")
        self._headers: Headers = (
            ("Host", server.netloc),
            ("User-Agent", f"podwright/{__version__}"),
            ("Accept", "application/json"),
            *(proxy_headers(self._way.proxy or "") if passed_on else ()),
        )
        self._idle: list[tuple[float, HttpConnection]] = []
        self._used: set[HttpConnection] = set()
        self._streams: set[HttpConnection] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nobody uses a connection."""
        return not self._used

    async def ask(self, request: ApiRequest, identity: Identity) -> tuple[AnswerHead, HttpConnection]:
        """The head of the answer, and the connection that its body comes on, to be given back.

        Raises OSError and h11.ProtocolError.
        """
        kept = await self._kept()
        if kept is not None:
            try:
                return await self._ask(kept, request, identity)
            except Unanswered:
                if self._is_closed or request.method not in REPEATABLE:
                    raise
        return await self._ask(await self._opened(), request, identity)

    async def _ask(
        self, connection: HttpConnection, request: ApiRequest, identity: Identity
    ) -> tuple[AnswerHead, HttpConnection]:
        headers = [*self._headers, *identity.headers.items()]
        if request.body:
            headers.append(("Content-Type", request.content_type))
        self._used.add(connection)
        try:
            head = await connection.ask(request.method, self._before_target + request.target, headers, request.body)
        except BaseException:
            self.give_back(connection)
            raise
        return head, connection

    def follow(self, connection: HttpConnection) -> None:
        """Its answer is a stream, which ends when the pool is retired."""
        self._streams.add(connection)
        if self.is_retired:
            connection.abort()

    def give_back(self, connection: HttpConnection) -> None:
        """Keep it for the next request. One whose answer is not complete is closed."""
        self._used.discard(connection)
        self._streams.discard(connection)
        if connection.is_free and not self.is_retired:
            self._idle.append((time.monotonic(), connection))
        else:
            connection.abort()

    def retire(self) -> None:
        """There is a newer key pair: end streams and what is idle. Calls get their answers."""
        self.is_retired = True
        for connection in (*self._streams, *(each for _, each in self._idle)):
            connection.abort()
        self._idle.clear()

    async def close(self) -> None:
        """End everything. Calls fail from now on."""
        self._is_closed = True
        ending = {*self._used, *(each for _, each in self._idle)}
        self.retire()
        for connection in ending:
            await connection.close()

    async def _kept(self) -> HttpConnection | None:
        """One that was used lately, and on which nothing came since. Others are closed."""
        oldest = time.monotonic() - IDLE_S
        while self._idle:
            since, connection = self._idle.pop()
            self._used.add(connection)  # so that `close` ends it
            is_good = False
            try:
                is_good = since > oldest and await connection.is_silent()
            finally:
                if not is_good:
                    self._used.discard(connection)
                    connection.abort()
            if is_good:
                self._close_older(oldest)
                return connection
        return None

    def _close_older(self, oldest: float) -> None:
        while self._idle and self._idle[0][0] <= oldest:
            self._idle.pop(0)[1].abort()

    async def _opened(self) -> HttpConnection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                connection = HttpConnection(await dial(self._way))
        except TimeoutError as late:
            if late.errno:  # the kernel has given up earlier
                raise
            raise ConnectionError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from late
        if self._is_closed:
            await connection.close()
            raise ConnectionError("the client is closed")
        return connection


def _proxy(endpoint: Endpoint) -> str | None:
    """The kubeconfig's, or what the environment says."""
    if endpoint.proxy_url:
        return endpoint.proxy_url
    try:
        return proxies.choose(endpoint.url, os.environ)
    except ValueError as failure:
        raise FailedPrecondition(f"{endpoint.url}: {failure}") from failure
