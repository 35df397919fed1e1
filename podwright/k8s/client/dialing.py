"""Opens the byte streams below HTTP: TCP to the API server, or through an HTTP proxy, and TLS on it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator
from urllib.parse import SplitResult, unquote, urlsplit

import h11
import msgspec

from podwright.addresses import host_port

PORTS = {"http": 80, "https": 443}
NEXT_ADDRESS_S = 0.25  # an address that does not answer for so long is no longer waited for alone (RFC 8305)
# A peer that has vanished silently is noticed by the kernel: probes from 30 s on, and what is sent and not
# acknowledged for so long ends the connection (tcp(7)).
KEEPALIVE_IDLE_S = 30
UNACKNOWLEDGED_MS = 30_000
HEAD_LIMIT_BYTES = 16 * 1024  # of a proxy's answer
# asyncio gives every TLS connection a buffer of 256 KiB, filled with zeros: 75 MiB for the 300 watches of a full node.
# A record of TLS has 16 KiB at most.
sslproto.SSLProtocol.max_size = 16 * 1024


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to get to a server: without `context` nothing is encrypted, without `proxy` it is connected to directly.

    `server_name` is the name in the certificate when it is not the URL's.
    """

    url: str
    context: ssl.SSLContext | None = None
    server_name: str = ""
    proxy: str | None = None


class ByteStream(msgspec.Struct, frozen=True, kw_only=True):
    """An open connection. `close` ends it at once and returns when it has ended."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_over(self) -> bool:
        """Whether one side has ended it."""
        return self.reader.at_eof() or self.writer.transport.is_closing()

    async def close(self) -> None:
        """A closed one succeeds."""
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def dial(way: Way) -> ByteStream:
    """The caller limits the time. Raises OSError (ssl.SSLError is one) that says what cannot be connected to."""
    server = urlsplit(way.url)
    if way.proxy is None:
        return await _connected(server, way.context, way.server_name)
    proxy = urlsplit(way.proxy)
    stream = await _connected(proxy, ssl.create_default_context() if proxy.scheme == "https" else None)
    if way.context is None:  # a proxy passes on what is not encrypted by itself
        return stream
    async with _closed_on_failure(stream):
        await _ask_for_tunnel(stream, server, proxy)
        await stream.writer.start_tls(way.context, server_hostname=way.server_name or server.hostname)
    return stream


def proxy_headers(proxy: str) -> list[tuple[str, str]]:
    """The headers that identify us to the proxy, by the user in its URL."""
    return _authorization(urlsplit(proxy))


async def _connected(place: SplitResult, context: ssl.SSLContext | None, server_name: str = "") -> ByteStream:
    host, port = place.hostname or "", _port(place)
    try:
        reader, writer = await asyncio.open_connection(
            host,
            port,
            ssl=context,
            server_hostname=(server_name or host) if context is not None else None,
            happy_eyeballs_delay=NEXT_ADDRESS_S,
        )
    except ssl.SSLError:
        raise
    except OSError as failure:
        text = f"cannot connect to {host_port(host, port)}: {_reason(failure)}"
        raise (OSError(failure.errno, text) if failure.errno else ConnectionError(text)) from failure
    _notice_loss(writer)
    return ByteStream(reader=reader, writer=writer)


def _notice_loss(writer: asyncio.StreamWriter) -> None:
    opened: socket.socket = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_IDLE_S // 3)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


@contextlib.asynccontextmanager
async def _closed_on_failure(stream: ByteStream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        stream.writer.transport.abort()
        raise


async def _ask_for_tunnel(stream: ByteStream, server: SplitResult, proxy: SplitResult) -> None:
    """Raises OSError when the proxy does not make one."""
    place = host_port(server.hostname or "", _port(server))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)
    request = h11.Request(method="CONNECT", target=place, headers=[("Host", place), *_authorization(proxy)])
    stream.writer.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await stream.reader.read(HEAD_LIMIT_BYTES))
    except h11.RemoteProtocolError as failure:
        raise ConnectionError(f"the proxy {proxy.hostname} does not answer with HTTP: {failure}") from failure
    if not (isinstance(event, h11.Response) and 200 <= event.status_code < 300):
        code = event.status_code if isinstance(event, h11.Response | h11.InformationalResponse) else 0
        raise ConnectionError(f"the proxy {proxy.hostname} does not connect to {place}: HTTP {code}")


def _authorization(proxy: SplitResult) -> list[tuple[str, str]]:
    if not proxy.username:
        return []
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return [("Proxy-Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")]


def _port(place: SplitResult) -> int:
    return place.port or PORTS.get(place.scheme, 0)


def _reason(failure: OSError) -> str:
    """The kernel's words, or the resolver's, whose numbers are negative. Several addresses fail without a number."""
    number = failure.errno or 0
    return os.strerror(number) if number > 0 else failure.strerror or str(failure)
