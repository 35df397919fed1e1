"""Connects to a streaming URL and requests an upgrade of the connection's protocol."""

from __future__ import annotations

import asyncio
import enum
import socket
import ssl
from urllib.parse import SplitResult, urlsplit

import msgspec

from podwright.errors import DeadlineExceeded, InvalidArgument, NotFound, Unavailable, reason
from podwright.streams.errors import ProtocolError
from podwright.streams.tls_wire import TlsWire
from podwright.streams.upgrade import SWITCHING_PROTOCOLS, ClientHandshake, Headers, Response
from podwright.streams.wire import SocketWire, Wire

CONNECT_TIMEOUT_S = 30.0
KEEPALIVE_IDLE_S = 60  # detects a vanished server, and keeps a firewall's entry alive


class StreamTransport(enum.StrEnum):
    """The protocol on the connection."""

    SPDY = "spdy"
    WEBSOCKET = "websocket"


class Upgraded(msgspec.Struct, frozen=True, kw_only=True):
    """A connection after its upgrade."""

    wire: Wire
    response: Response


async def upgrade(
    url: str,
    method: str,
    headers: Headers,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Upgraded:
    """Connect, send the request, and read the answer.

    Raises InvalidArgument for an invalid URL, Unavailable if no server answers, NotFound for a used or expired URL,
    DeadlineExceeded, and ProtocolError for every other refusal.
    """
    asked = await ask(url, method, headers, timeout_s=timeout_s, tls=tls)
    try:
        _check(asked.response, _checked(url))
    except BaseException:
        await asked.wire.close()
        raise
    return asked


async def ask(
    url: str,
    method: str,
    headers: Headers,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Upgraded:
    """As `upgrade`, for a caller that hands refusals on: any status. The wire is the caller's."""
    parts = _checked(url)
    try:
        async with asyncio.timeout(timeout_s):
            connection = await _connect(parts)
            try:
                return await _ask(connection, parts, method, headers, tls)
            except BaseException:
                connection.close()
                raise
    except TimeoutError as failure:
        raise DeadlineExceeded(f"{parts.netloc} did not answer in {timeout_s:g} s") from failure
    except OSError as failure:
        raise Unavailable(f"cannot connect to the streaming server {parts.netloc}: {reason(failure)}") from failure


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port):
            return parts
    except ValueError:
        pass  # an invalid port or bracket
    raise InvalidArgument(
        f"{url!r} is not the URL of a streaming server", hint="the runtime's streaming address is wrong"
    )


async def _connect(parts: SplitResult) -> socket.socket:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, proto, _, address in await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, proto)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
        except OSError as refused:
            connection.close()
            failure = refused
            continue
        except BaseException:
            connection.close()
            raise
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        return connection
    raise failure or OSError(f"{parts.hostname} has no address")


async def _ask(
    connection: socket.socket, parts: SplitResult, method: str, headers: Headers, tls: ssl.SSLContext | None
) -> Upgraded:
    wire: Wire = SocketWire(connection)
    if parts.scheme == "https":
        wire = secured = TlsWire(connection, tls or _unverified(), server_hostname=parts.hostname)
        await secured.handshake()
    try:
        return await _handshake(wire, parts, method, headers)
    except BaseException:
        await wire.close()
        raise


async def _handshake(wire: Wire, parts: SplitResult, method: str, headers: Headers) -> Upgraded:
    handshake = ClientHandshake()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    await wire.send(handshake.request(method, parts.netloc.rpartition("@")[2], target or "/", headers))
    response = None
    while response is None:
        response = handshake.receive_data(bytes(await wire.receive()))
    wire.push_back(handshake.leftover)
    return Upgraded(wire=wire, response=response)


def _check(response: Response, parts: SplitResult) -> None:
    if response.status == SWITCHING_PROTOCOLS:
        return
    said = f": {response.body}" if response.body else ""
    if response.status == 404:
        hint = "each URL works once, for a short time: ask for a new one"
        raise NotFound(f"{parts.netloc} does not know this stream{said}", hint=hint)
    raise ProtocolError(f"{parts.netloc} refused the stream with HTTP {response.status}{said}")


def _unverified() -> ssl.SSLContext:
    """A context without verification.

    The URL came over the runtime's own socket, and runtimes use self-signed certificates. A caller that knows an
    authority passes a context of its own.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's authorities, which take 40 ms to read
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
