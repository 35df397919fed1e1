"""HTTP to one server: timeouts, TLS settings, proxies, redirects. The only module that uses aiohttp.

aiohttp is imported with the first pull, because it would cost an idle daemon 10 MiB. Credentials go only to their
server: redirects are followed here, and another host gets requests without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from podwright import __version__, proxies
from podwright.errors import FailedPrecondition, reason
from podwright.runtime.registry import encodings
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.hosts import RegistryHost, place_of
from podwright.runtime.registry.patience import DownloadPace

if TYPE_CHECKING:
    import ssl

    import aiohttp

log = logging.getLogger(__name__)

REDIRECTS = (301, 302, 303, 307, 308)
REDIRECT_LIMIT = 10
BUFFER_BYTES = 1 << 20
# The headers for a redirect to another host. None may hold credentials of the first host.
TRAVELLING_HEADERS = frozenset({"accept", "accept-encoding", "range", "user-agent"})
BASE_HEADERS = {"User-Agent": f"podwright/{__version__}", "Accept-Encoding": "identity"}
# A form's fields, or a function that returns a stream of bytes.
Sent = Mapping[str, str] | Callable[[], AsyncIterator[bytes]] | None


class RegistryTransport:
    """A connection pool, one per pull. Use as an async context manager."""

    def __init__(self, *, connect_timeout_s: float, stall_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def __aenter__(self) -> RegistryTransport:
        return self

    async def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            http = await asyncio.to_thread(_load)
        if self._session is None:  # checked again, because another request may have opened it
            self._session = http.ClientSession(
                connector=http.TCPConnector(limit=0),
                cookie_jar=http.DummyCookieJar(),
                auto_decompress=False,  # digests are those of the stored bytes, whatever Content-Encoding says
                read_bufsize=BUFFER_BYTES,
            )
        return self._session

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def request(
        self, host: RegistryHost, method: str, url: str, headers: Mapping[str, str], data: Sent = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a request, after redirects, with any status. `pieces` reads its body.

        `data` is a form's fields, or a function that returns the bytes to upload, for each attempt. Raises
        HostFailure if there is no response, and FailedPrecondition for unusable TLS settings.
        """
        first = urlsplit(url)
        sent = _headers(host, headers)
        for _ in range(REDIRECT_LIMIT):
            response = await self._send(host, method, url, sent, data)
            try:
                if response.status not in REDIRECTS or not response.headers.get("Location"):
                    yield response
                    return
                url, target = _target(host, url, response.headers["Location"])
            finally:
                response.release()
            if target.scheme not in ("http", "https") or (first.scheme, target.scheme) == ("https", "http"):
                raise HostFailure(Rank.GARBAGE, f"{host.name} redirects to {target.scheme}://{place_of(url)}")
            if (target.scheme, target.netloc) != (first.scheme, first.netloc):
                if data is not None:
                    raise HostFailure(Rank.GARBAGE, f"{host.name} redirects an upload to {place_of(url)}")
                sent = {name: value for name, value in sent.items() if name.lower() in TRAVELLING_HEADERS}
        raise HostFailure(Rank.GARBAGE, f"{host.name} redirects in a circle")

    async def _send(
        self, host: RegistryHost, method: str, url: str, headers: Mapping[str, str], data: Sent
    ) -> aiohttp.ClientResponse:
        session = await self._opened()
        timeouts = _load().ClientTimeout
        connect_s = host.dial_timeout_s or self._connect_timeout_s
        with self._reported(host.name, place_of(url)):
            return await session.request(
                method,
                url,
                headers=headers,
                data=data() if callable(data) else data,
                allow_redirects=False,
                proxy=proxies.choose(url, os.environ),
                ssl=await self._tls(host, url),
                timeout=timeouts(total=None, connect=connect_s, sock_read=self._stall_timeout_s),
            )

    async def pieces(
        self, host: RegistryHost, response: aiohttp.ClientResponse, pace: DownloadPace | None = None
    ) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises HostFailure if it stalls, breaks off, or is too slow for `pace`."""
        pace = pace or DownloadPace(0, 0.0)
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            piece = None
            with self._reported(host.name, host.name):
                limit = asyncio.timeout(pace.remaining_s)
                try:
                    async with limit:
                        piece = await response.content.readany()
                except TimeoutError:
                    if not limit.expired():
                        raise
            if piece == b"":
                return
            if pace.is_too_slow(len(piece or b""), clock() - began):
                slow = f"{host.name} sends less than {pace.floor_bytes_s} bytes a second"
                raise HostFailure(Rank.UNAVAILABLE, slow)
            if piece:
                yield piece

    async def content(self, host: RegistryHost, response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
        """As `body`, decompressed if it was compressed in transit."""
        return decoded(host, response, await self.body(host, response, limit_bytes), limit_bytes)

    async def body(self, host: RegistryHost, response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
        """The whole body as it was sent. Raises HostFailure, also if it is longer than `limit_bytes`."""
        collected = bytearray()
        async for piece in self.pieces(host, response):
            collected += piece
            if len(collected) > limit_bytes:
                raise HostFailure(Rank.GARBAGE, f"{host.name} sends more than {limit_bytes} bytes")
        return bytes(collected)

    @contextlib.contextmanager
    def _reported(self, name: str, target: str) -> Iterator[None]:
        http = _load()
        via = "" if target == name else f" (redirected to {target})"
        try:
            yield
        except (http.ClientConnectorCertificateError, http.ClientConnectorSSLError) as failure:
            raise HostFailure(Rank.UNREACHABLE, f"{name}{via}: TLS failed: {failure}") from failure
        except http.ClientProxyConnectionError as failure:
            why = os.strerror(failure.os_error.errno or 0)
            raise HostFailure(Rank.UNREACHABLE, f"{name}{via}: no connection to the HTTP proxy: {why}") from failure
        except http.ClientHttpProxyError as failure:
            refused = f"{name}{via}: the HTTP proxy answers {failure.status} {failure.message}"
            raise HostFailure(Rank.UNREACHABLE, refused) from failure
        except http.ConnectionTimeoutError as failure:
            raise HostFailure(Rank.UNREACHABLE, f"{name}{via}: no connection in time") from failure
        except (http.ServerTimeoutError, TimeoutError) as failure:
            stalled = f"{name}{via}: not a byte for {self._stall_timeout_s:g} s"
            raise HostFailure(Rank.UNAVAILABLE, stalled) from failure
        except http.ClientConnectorError as failure:
            code = failure.os_error.errno or 0  # negative for name resolution, which has its own text
            why = os.strerror(code) if code > 0 else failure.os_error.strerror
            raise HostFailure(Rank.UNREACHABLE, f"{name}{via}: {why or failure}") from failure
        except http.InvalidURL as failure:  # its text is the URL, which may be signed
            raise HostFailure(Rank.GARBAGE, f"{name}{via}: not a URL") from failure
        except ValueError as failure:  # raised by `proxies`
            raise HostFailure(Rank.UNREACHABLE, f"{name}{via}: {failure}") from failure
        except (http.ClientError, OSError) as failure:
            text = str(failure) or type(failure).__name__
            raise HostFailure(Rank.UNAVAILABLE, f"{name}{via}: the connection broke: {text}") from failure

    async def _tls(self, host: RegistryHost, url: str) -> ssl.SSLContext | bool:
        """TLS settings: the host's for requests to itself, the system's for redirects elsewhere."""
        parts = urlsplit(url)
        if parts.scheme != "https":
            return True
        own = place_of(url) == host.name
        key = host.url if own else ""
        if key not in self._contexts:
            self._contexts[key] = await asyncio.to_thread(_context, host if own else None)
        return self._contexts[key]


def decoded(host: RegistryHost, response: aiohttp.ClientResponse, body: bytes, limit_bytes: int) -> bytes:
    """The content of a response's body. Raises HostFailure."""
    try:
        return encodings.decoded(body, response.headers.get("Content-Encoding", ""), limit_bytes)
    except ValueError as failure:
        raise HostFailure(Rank.GARBAGE, f"{host.name} sends {failure}") from failure


def _headers(host: RegistryHost, own: Mapping[str, str]) -> dict[str, str]:
    """Our headers and the host's configured ones. A header with several values becomes one list (RFC 9110, 5.3)."""
    configured: dict[str, str] = {}
    for name, value in host.headers:
        key = name.lower()
        configured[key] = f"{configured[key]}, {value}" if key in configured else value
    ours = {name.lower() for name in own}
    usual = {name: value for name, value in BASE_HEADERS.items() if name.lower() not in configured.keys() | ours}
    return usual | {key: value for key, value in configured.items() if key not in ours} | dict(own)


def _target(host: RegistryHost, url: str, location: str) -> tuple[str, SplitResult]:
    try:
        joined = urljoin(url, location)
        return joined, urlsplit(joined)
    except ValueError as failure:  # its text may be the URL, which may be signed
        raise HostFailure(Rank.GARBAGE, f"{host.name} redirects to an invalid URL") from failure


def _load() -> Any:
    import aiohttp  # noqa: PLC0415 # see the module's docstring

    return aiohttp


def _context(host: RegistryHost | None) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 # as aiohttp

    context = ssl.create_default_context()
    if host is None:
        return context
    try:
        for path in host.ca:
            context.load_verify_locations(cafile=path)
        for certificate, key in host.client:
            context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as failure:
        raise FailedPrecondition(f"TLS files for {host.name}: {reason(failure)}: {', '.join(host.ca)}") from failure
    if host.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
