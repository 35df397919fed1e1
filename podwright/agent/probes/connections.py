"""Connections to containers, one for each run of a probe, without the cost of a general client.

A plain connection is a bare socket: that costs a third of asyncio's streams, and most probes are plain.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
from typing import Any, Protocol

CHUNK_BYTES = 16 * 1024


class ProbeConnection(Protocol):
    """Bytes to and from a container. Every method but `close` raises OSError."""

    async def send(self, data: bytes) -> None:
        """Send it all."""

    async def receive(self) -> bytes:
        """The next bytes. None at the end."""

    def close(self) -> None:
        """Close the connection at once."""


class PlainConnection:
    """A TCP connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, CHUNK_BYTES)

    def close(self) -> None:
        self._socket.close()


class TlsConnection:
    """A TLS connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(CHUNK_BYTES)

    def close(self) -> None:
        self._writer.transport.abort()


async def connect(host: str, port: int) -> PlainConnection:
    """Connect. The caller limits the time. Raises the OSError of the last address."""
    return PlainConnection(await _connected_socket(host, port))


async def _connected_socket(host: str, port: int) -> socket.socket:
    last: OSError = OSError(f"lookup {host}: no such host")
    for family, address in await _addresses(host, port):
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(opened, address)
        except OSError as failed:
            opened.close()
            last = failed
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise last


async def connect_tls(host: str, port: int) -> TlsConnection:
    """The same with TLS. Certificates are not verified: containers make their own. Raises OSError."""
    opened = await _connected_socket(host, port)
    try:
        reader, writer = await asyncio.open_connection(
            sock=opened, ssl=_unverified(), server_hostname=host, limit=CHUNK_BYTES
        )
    except BaseException:
        opened.close()
        raise
    return TlsConnection(reader, writer)


@functools.cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """(family, address) of each address of the host. A host that is an address needs no thread for the resolver."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]
    return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]
