"""Answers a server's 401 with Basic, or with a Bearer token from its token server (distribution-spec, token/oauth2).

One object per server and pull. Secrets are never logged. A token server gets them only over a connection that is as
confidential as the one to the registry.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from podwright.runtime.registry import challenge
from podwright.runtime.registry.challenge import Challenge, ServerCredentials
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.hosts import RegistryHost, place_of
from podwright.runtime.registry.nulls import NotJson, decode
from podwright.runtime.registry.patience import LAST, Patience, pause, retry_after_s
from podwright.runtime.registry.transport import RegistryTransport

CLIENT_ID = "podwright"
TOKEN_LIMIT_BYTES = 1 << 20
# Status codes of token servers without OAuth2 for a POST.
NO_POST = (400, 401, 404, 405)


class _Token(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None


class _Request(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]
    data: Mapping[str, str] | None = None


class Authorizer:
    """Holds the Authorization header that one server accepts."""

    def __init__(
        self,
        transport: RegistryTransport,
        host: RegistryHost,
        credentials: ServerCredentials,
        repository: str,
        login: Callable[[], Awaitable[ServerCredentials]] | None = None,
    ) -> None:
        """When the server asks for credentials, `login` is called once for others."""
        self._transport = transport
        self._host = host
        self._credentials = credentials
        self._repository = repository
        self._login = login
        self._lock = asyncio.Lock()
        self.header = f"Bearer {credentials.bearer}" if credentials.bearer else ""

    async def answer(self, headers: Iterable[str], refused: str, patience: Patience = LAST) -> None:
        """Find a new `header` for these WWW-Authenticate headers. `refused` is the header that the server rejected.

        Raises HostFailure if there is nothing new to try. Concurrent failed requests share one answer.
        """
        async with self._lock:
            if self.header != refused:
                return
            asked = challenge.preferred(challenge.parse(headers))
            if asked is None:
                raise self._denied("it requests an unsupported kind of authentication")
            if self._login is not None:
                self._credentials, self._login = await self._login(), None
            header = self._credentials.basic() if asked.scheme == "basic" else await self._bearer(asked, patience)
            if not header:
                why = f" ({self._credentials.missing})" if self._credentials.missing else ""
                raise self._denied(f"it requires a user and a password, and there are none{why}")
            if header == refused:
                raise self._denied("it rejects the credentials")
            self.header = header

    def hide(self, text: str) -> str:
        """The text without the secrets that the server gets."""
        own = self._credentials
        shown = (own.secret, own.bearer, own.basic().removeprefix("Basic "), self.header.partition(" ")[2])
        headers = (word for _, value in self._host.headers for word in (value, value.partition(" ")[2]))
        return challenge.hidden(text, (*shown, *headers))

    def _denied(self, why: str) -> HostFailure:
        return HostFailure(Rank.DENIED, f"{self._host.name} denies access to {self._repository}: {why}")

    async def _bearer(self, asked: Challenge, patience: Patience) -> str:
        try:
            realm = urlsplit(asked.parameters["realm"])
        except ValueError as failure:
            raise self._denied("the address of its token server is not a URL") from failure
        if realm.scheme not in ("http", "https") or (self._host.url.startswith("https:") and realm.scheme == "http"):
            place = f"{realm.scheme}://{place_of(realm.geturl())}"
            raise self._denied(
                f"its token server {place} must not get the credentials, because it is less secure than the registry"
            )
        fields = {"scope": " ".join(challenge.scopes(asked, self._repository))}
        if asked.parameters.get("service"):
            fields["service"] = asked.parameters["service"]
        token = None
        if self._credentials.secret:
            token = await self._post(realm.geturl(), fields, patience)
        if token is None:
            token = await self._get(realm.geturl(), fields, patience)
        return f"Bearer {token}"

    async def _post(self, realm: str, fields: Mapping[str, str], patience: Patience) -> str | None:
        """Request a token by OAuth2. None if the server does not support it."""
        secret = self._credentials.secret
        if self._credentials.username:
            grant = {"grant_type": "password", "username": self._credentials.username, "password": secret}
        else:
            grant = {"grant_type": "refresh_token", "refresh_token": secret}
        request = _Request("POST", realm, {}, {**grant, **fields, "client_id": CLIENT_ID})
        return await self._token(request, patience)

    async def _get(self, realm: str, fields: Mapping[str, str], patience: Patience) -> str:
        """Request a token by Docker's older method. Without credentials, an anonymous token."""
        scopes = fields["scope"].split(" ")
        query = urlencode(
            [*((key, value) for key, value in fields.items() if key != "scope"), *(("scope", one) for one in scopes)]
        )
        separator = "&" if "?" in realm else "?"
        basic = self._credentials.basic()
        headers = {"Authorization": basic} if basic else {}
        token = await self._token(_Request("GET", f"{realm}{separator}{query}", headers), patience)
        if token is None:
            raise self._denied(f"its token server {place_of(realm)} rejects the credentials")
        return token

    async def _token(self, request: _Request, patience: Patience) -> str | None:
        for count in itertools.count(1):
            try:
                return await self._try_token(request)
            except HostFailure as failure:
                await pause(failure, count, patience)
        return None

    async def _try_token(self, request: _Request) -> str | None:
        scheme, name = urlsplit(request.url).scheme, place_of(request.url)
        host = self._host if name == self._host.name else RegistryHost(url=f"{scheme}://{name}", origin=False)
        async with self._transport.request(host, *request) as response:
            body = await self._transport.content(host, response, TOKEN_LIMIT_BYTES)
            if response.status in NO_POST or response.status == 403:
                return None
            if response.status != 200:
                raise HostFailure(
                    Rank.UNAVAILABLE,
                    f"the token server {name} answers {response.status}",
                    status=response.status,
                    retry_after_s=retry_after_s(response.headers.get("Retry-After")),
                )
        try:
            answer = decode(body, _Token)
        except NotJson:
            answer = _Token()
        token = answer.access_token or answer.token
        if not token or not token.isprintable():
            raise HostFailure(Rank.GARBAGE, f"the token server {name} answers without a token")
        return token
