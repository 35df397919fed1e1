"""One server of a repository. Requests survive 401, overload, broken answers and a wrong guess about TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import msgspec

from podwright.runtime.registry.auth import Authorizer
from podwright.runtime.registry.challenge import ServerCredentials
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.hosts import RegistryHost
from podwright.runtime.registry.nulls import NotJson, Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.patience import LAST, PAUSES_S, Patience, pause, retry_after_s
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.registry.transport import RegistryTransport

if TYPE_CHECKING:
    import aiohttp

ERROR_LIMIT_BYTES = 64 << 10
ERROR_SHOWN = 300
AUTH_ROUNDS = 2  # more than one, because a token may expire
RANKS = {401: Rank.DENIED, 403: Rank.DENIED, 404: Rank.MISSING, 400: Rank.GARBAGE}


class _Error(NullsAsDefaults, frozen=True, kw_only=True):
    code: Nullable[str] = ""
    message: Nullable[str] = ""


class _Errors(NullsAsDefaults, frozen=True, kw_only=True):
    errors: Nullable[tuple[Nullable[_Error], ...]] = ()


class RegistryServer:
    """A host, with what this pull learnt about it."""

    def __init__(
        self,
        transport: RegistryTransport,
        host: RegistryHost,
        credentials: ServerCredentials,
        reference: ImageReference,
        login: Callable[[], Awaitable[ServerCredentials]] | None = None,
    ) -> None:
        """`login` is passed to Authorizer."""
        self.host = host
        self.key = host.url  # constant, even if the scheme changes
        self._transport = transport
        self._reference = reference
        self._authorizer = Authorizer(transport, host, credentials, reference.repository, login)

    @property
    def name(self) -> str:
        """Host and port."""
        return self.host.name

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        patience: Patience = LAST,
        body: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response to a request below the repository, or to a URL from the server.

        `body` returns the bytes to send, for each attempt. Raises HostFailure.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(patience.answer_s):
                    response = await self._until_success(stack, method, path, headers, patience, body)
            except TimeoutError as late:
                message = f"{self.name} has no answer for {self._reference.repository} within {patience.answer_s:g} s"
                raise HostFailure(Rank.UNAVAILABLE, message) from late
            yield response

    async def _until_success(
        self,
        stack: contextlib.AsyncExitStack,
        method: str,
        path: str,
        headers: Mapping[str, str],
        patience: Patience,
        body: Callable[[], AsyncIterator[bytes]] | None,
    ) -> aiohttp.ClientResponse:
        tries: dict[int, int] = {}
        while True:
            url = self._url(path)
            sent = self._authorizer.header if _same_place(url, self.host.url) else ""
            signed = {**headers, "Authorization": sent} if sent else headers
            try:
                async with contextlib.AsyncExitStack() as attempt:
                    exchange = self._transport.request(self.host, method, url, signed, body)
                    response = await attempt.enter_async_context(exchange)
                    if response.status < 300:
                        self.host = msgspec.structs.replace(
                            self.host, tls_fallback=False
                        )  # plain HTTP was the right guess
                        stack.push_async_exit(attempt.pop_all())
                        return response
                    failure = await self._refusal(method, path, response)
                    challenges = response.headers.getall("WWW-Authenticate", [])
            except HostFailure as broken:
                failure, challenges = broken, []
            count = tries[failure.status] = tries.get(failure.status, 0) + 1
            await self._prepare_next(failure, challenges, sent, count, patience)

    async def _prepare_next(
        self, failure: HostFailure, challenges: list[str], sent: str, count: int, patience: Patience
    ) -> None:
        """Prepare another attempt after the `count`th such failure, or raise it."""
        broken = failure.rank == Rank.UNAVAILABLE and not failure.status
        stalled = isinstance(
            failure.__cause__, TimeoutError
        )  # which no server does at the first bytes that are no TLS
        if self.host.tls_fallback and (failure.status == 400 or (broken and not stalled)):
            # Plain HTTP on loopback was a guess; a certificate for loopback proves nothing.
            url = "https" + self.host.url.removeprefix("http")
            self.host = msgspec.structs.replace(self.host, url=url, tls_fallback=False, skip_verify=True)
        elif failure.status == 401 and challenges and count <= AUTH_ROUNDS:
            await self._authorizer.answer(challenges, sent, patience)
        else:
            await pause(failure, count, patience)

    def _url(self, path: str) -> str:
        if "://" in path:
            return path
        url = f"{self.host.url}/{quote(self._reference.repository)}/{path}"
        return url if self.host.origin else f"{url}{'&' if '?' in url else '?'}ns={quote(self._reference.host)}"

    async def _refusal(self, method: str, path: str, response: aiohttp.ClientResponse) -> HostFailure:
        body = b"" if method == "HEAD" else await self._transport.content(self.host, response, ERROR_LIMIT_BYTES)
        said, target = _message(body), path.partition("/")[2]
        what = {
            Rank.DENIED: f"denies access to {self._reference.repository}",
            Rank.MISSING: f"does not have {self._reference.repository}{':@'[':' in target]}{target}",
        }.get(rank := RANKS.get(response.status, Rank.UNAVAILABLE), f"answers {response.status} {response.reason}")
        return HostFailure(
            rank,
            self._authorizer.hide(f"{self.name} {what}{': ' + said if said else ''}"),
            status=response.status,
            retry_after_s=retry_after_s(response.headers.get("Retry-After")) if response.status in PAUSES_S else None,
        )


def _same_place(url: str, other: str) -> bool:
    return urlsplit(url)[:2] == urlsplit(other)[:2]


def _message(body: bytes) -> str:
    """The text of a registry's error body, if it is one."""
    try:
        listed = decode(body, _Errors).errors
    except NotJson:
        return ""
    return "; ".join(filter(None, (error.message or error.code for error in listed)))[:ERROR_SHOWN]
