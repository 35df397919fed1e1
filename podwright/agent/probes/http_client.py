"""HTTP GET for probes and hooks, with the rules of the kubelet's clients (pkg/probe/http, pkg/kubelet/lifecycle).

Each request has its own connection. Certificates are not verified, and proxies are not used: the request is for the
container itself. With h11 and bare sockets a request costs less than half of one with aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import h11
import msgspec

from podwright.addresses import host_port
from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.pods.ports import find_port
from podwright.agent.probes.attempt import OUTPUT_LIMIT_BYTES, connect_failure, is_plain_answer
from podwright.agent.probes.connections import ProbeConnection, connect, connect_tls
from podwright.errors import DeadlineExceeded, InvalidArgument, PodwrightError, Unavailable
from podwright.k8s.objects import Container, HTTPGetAction

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECT_LIMIT = 10
HEAD_LIMIT_BYTES = 256 * 1024
OMITTED_WHEN_EMPTY = frozenset({"accept", "host", "user-agent"})
HOOK_TIMEOUT_S = 600.0  # hooks have their own limits, except postStart, which a kubelet does not limit
VERSION = ".".join(KUBERNETES_VERSION.removeprefix("v").split(".")[:2])
URL_CHARACTERS = "/?:@!$&'()*+,;=%~-._[]"  # not escaped in a path or a query

Headers = list[tuple[str, str]]


class NoTls(Unavailable):
    """The server of an https URL does not speak TLS."""


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A server's answer, with the start of its body."""

    status: int
    body: bytes
    location: str = ""


async def get(url: str, headers: Headers, timeout_s: float) -> ProbeAnswer:
    """Send the request. Follows redirects on the same host. A redirect to another host is the answer.

    Raises DeadlineExceeded, Unavailable and InvalidArgument.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _follow(url, headers)
    except TimeoutError:
        text = f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        raise DeadlineExceeded(text) from None


async def _follow(url: str, headers: Headers) -> ProbeAnswer:
    host = urlsplit(url).hostname
    for _ in range(REDIRECT_LIMIT):
        answer = await _get_one(url, headers)
        if answer.status not in REDIRECTS or not answer.location:
            return answer
        following = urljoin(url, answer.location)
        if urlsplit(following).hostname != host:
            return answer
        if urlsplit(answer.location).netloc:  # the header is only for the first URL (as in Go's net/http)
            headers = [(name, value) for name, value in headers if name.lower() != "host"]
        url = following
    raise Unavailable(f'Get "{url}": stopped after {REDIRECT_LIMIT} redirects')


async def _get_one(url: str, headers: Headers) -> ProbeAnswer:
    parts = urlsplit(url)
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)
    try:
        request = (client.send(_request(parts, headers)) or b"") + (client.send(h11.EndOfMessage()) or b"")
        connection = await _connected(parts)
    except (h11.LocalProtocolError, ValueError) as failure:
        raise InvalidArgument(f'Get "{url}": {failure}') from failure
    except OSError as failure:
        address = host_port(parts.hostname or "", _port(parts))
        kind = NoTls if is_plain_answer(failure) else Unavailable
        raise kind(f'Get "{url}": {connect_failure(address, failure)}') from failure
    try:
        await connection.send(request)
        return await _answer(client, connection)
    except (h11.RemoteProtocolError, OSError) as failure:
        raise Unavailable(f'Get "{url}": {failure or type(failure).__name__}') from failure
    finally:
        connection.close()


def _request(parts: SplitResult, headers: Headers) -> h11.Request:
    target = quote(parts.path or "/", URL_CHARACTERS) + (
        f"?{quote(parts.query, URL_CHARACTERS)}" if parts.query else ""
    )
    if not any(name.lower() == "host" for name, _ in headers):
        headers = [("Host", parts.netloc), *headers]
    return h11.Request(method="GET", target=target, headers=[*headers, ("Connection", "close")])


async def _connected(parts: SplitResult) -> ProbeConnection:
    open_one = connect_tls if parts.scheme == "https" else connect
    return await open_one(parts.hostname or "", _port(parts))


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


async def _answer(client: h11.Connection, connection: ProbeConnection) -> ProbeAnswer:
    """Read the answer, with at most a limited part of its body. Raises RemoteProtocolError and OSError."""
    status, location, body = 0, "", bytearray()
    while len(body) < OUTPUT_LIMIT_BYTES:
        event = client.next_event()
        if event is h11.NEED_DATA:
            data = await connection.receive()
            if not data and not status:
                raise h11.RemoteProtocolError("EOF")
            client.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
            location = next((value.decode("latin-1") for name, value in event.headers if name == b"location"), "")
        elif isinstance(event, h11.Data):
            body += event.data
        elif not isinstance(event, h11.InformationalResponse):
            break
    return ProbeAnswer(status=status, body=bytes(body[:OUTPUT_LIMIT_BYTES]), location=location)


class HookGetter:
    """The `HttpGetter` of life cycle hooks: any answer is a success."""

    async def get(self, action: HTTPGetAction, container: Container, ip: str) -> str:
        """See HttpGetter. The fallback without TLS sends no Authorization header."""
        url = action_url(action, container, ip)
        headers = request_headers(((header.name, header.value) for header in action.http_headers), "lifecycle")
        try:
            await get(url, headers, HOOK_TIMEOUT_S)
        except NoTls as no_tls:
            parts = urlsplit(url)._replace(scheme="http")
            headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
            try:
                await get(parts.geturl(), headers, HOOK_TIMEOUT_S)
            except PodwrightError:
                raise no_tls from None
            return parts.netloc
        return ""


def request_headers(given: Iterable[tuple[str, str]], purpose: str) -> Headers:
    """The user's headers, with `User-Agent: kube-PURPOSE/1.36` and `Accept: */*` unless the user sets them.

    An empty Accept, User-Agent or Host is left out.
    """
    headers = list(given)
    names = {name.lower() for name, _ in headers}
    for name, value in (("User-Agent", f"kube-{purpose}/{VERSION}"), ("Accept", "*/*")):
        if name.lower() not in names:
            headers.append((name, value))
    return [(name, value) for name, value in headers if value or name.lower() not in OMITTED_WHEN_EMPTY]


def action_url(action: HTTPGetAction, container: Container, ip: str) -> str:
    """The URL of an httpGet action. Raises InvalidArgument for a port that does not exist."""
    scheme = (action.scheme or "http").lower()
    path, mark, query = action.path.partition("#")[0].partition("?")
    path = path if path.startswith("/") else f"/{path}"
    return f"{scheme}://{host_port(action.host or ip, find_port(container, action.port))}{path}{mark}{query}"
