"""HTTP GET for probes and hooks, with the rules of the kubelet's clients (pkg/probe/http, pkg/kubelet/lifecycle).

A connection serves one request, certificates are not verified, and proxies are not used: a container is asked, and
nothing between it and the node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.pods.ports import find_port
from podwright.agent.probes.attempt import OUTPUT_LIMIT_BYTES, connect_failure, joined
from podwright.errors import DeadlineExceeded, InvalidArgument, Unavailable
from podwright.k8s.objects import Container, HTTPGetAction

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECT_LIMIT = 10
OMITTED_WHEN_EMPTY = frozenset({"accept", "host", "user-agent"})
HOOK_TIMEOUT_S = 600.0  # a hook's caller has its own limit, but for postStart, which a kubelet does not limit at all
VERSION = ".".join(KUBERNETES_VERSION.removeprefix("v").split(".")[:2])

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered: the start of the body alone."""

    status: int
    body: bytes


class HttpClient:
    """One for all probes and hooks. Made on first use, so that it belongs to the running loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, headers: Headers, timeout_s: float) -> Answer:
        """Follow redirects on the same host; one to another host is the answer.

        Raises DeadlineExceeded, Unavailable and InvalidArgument.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(url, headers)
        except TimeoutError:
            text = f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
            raise DeadlineExceeded(text) from None

    async def close(self) -> None:
        """End the connections that are open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, url: str, headers: Headers) -> Answer:
        host = urlsplit(url).hostname
        for _ in range(REDIRECT_LIMIT):
            answer, location = await self._get_one(url, headers)
            if answer.status not in REDIRECTS or not location:
                return answer
            following = urljoin(url, location)
            if urlsplit(following).hostname != host:
                return answer
            if urlsplit(location).netloc:  # the header names the host of the first URL alone (as in Go's net/http)
                headers = [(name, value) for name, value in headers if name.lower() != "host"]
            url = following
        raise Unavailable(f'Get "{url}": stopped after {REDIRECT_LIMIT} redirects')

    async def _get_one(self, url: str, headers: Headers) -> tuple[Answer, str]:
        try:
            async with self._opened().get(url, headers=headers, allow_redirects=False) as response:
                body = await _start_of(response)
                response.close()
        except aiohttp.ClientConnectorError as failure:
            address = joined(failure.host, failure.port or 0)
            raise Unavailable(f'Get "{url}": {connect_failure(address, failure.os_error)}') from failure
        except (aiohttp.ClientError, OSError) as failure:
            raise Unavailable(f'Get "{url}": {failure or type(failure).__name__}') from failure
        except ValueError as failure:  # a header or a URL that cannot be sent
            raise InvalidArgument(f'Get "{url}": {failure}') from failure
        return Answer(status=response.status, body=body), response.headers.get("Location", "")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=False, force_close=True, limit=0, use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            )
        return self._session


class HookGetter:
    """The `HttpGetter` of life cycle hooks: any answer is a success."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def get(self, url: str, headers: dict[str, str]) -> None:
        """Send one request. Raises PodwrightError when no answer comes."""
        await self._client.get(url, request_headers(headers.items(), "lifecycle"), HOOK_TIMEOUT_S)


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    while len(body) < OUTPUT_LIMIT_BYTES:
        chunk = await response.content.read(OUTPUT_LIMIT_BYTES - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def request_headers(given: Iterable[tuple[str, str]], purpose: str) -> Headers:
    """What a user gave, and `User-Agent: kube-PURPOSE/1.36` and `Accept: */*` unless they are among it.

    An empty Accept, User-Agent or Host is left out.
    """
    headers = list(given)
    names = {name.lower() for name, _ in headers}
    for name, value in (("User-Agent", f"kube-{purpose}/{VERSION}"), ("Accept", "*/*")):
        if name.lower() not in names:
            headers.append((name, value))
    return [(name, value) for name, value in headers if value or name.lower() not in OMITTED_WHEN_EMPTY]


def action_url(action: HTTPGetAction, container: Container, ip: str) -> str:
    """Where an httpGet action goes. Raises InvalidArgument for a port that does not exist."""
    scheme = (action.scheme or "http").lower()
    parts = urlsplit(action.path)
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{joined(action.host or ip, find_port(container, action.port))}{path}{query}"
