"""One accepted connection: its wire, its idle time, and its place among the counted connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from podwright.errors import FailedPrecondition
from podwright.streams.tls_wire import TlsWire
from podwright.streams.upgrade import ServerHandshake, UpgradeRequest
from podwright.streams.wire import Buffer, SocketWire, Wire

KEEPALIVE_IDLE_S = 60  # then the kernel probes whether the client still exists
HEAD_TIMEOUT_S = 10.0  # for the request's head, and a TLS handshake before it
REFUSED_S = 1.0
LINGER_S = 5.0  # for the client to close after the end


class ClientConnection:
    """A Wire that records when it was last used."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self.used_at = self._loop.time()

    async def receive(self) -> Buffer:
        data = await self._wire.receive()
        self.used_at = self._loop.time()
        await asyncio.sleep(0)  # a client that never pauses must not block the event loop
        return data

    def push_back(self, data: bytes) -> None:
        self._wire.push_back(data)

    async def send(self, *parts: Buffer) -> None:
        await self._wire.send(*parts)
        self.used_at = self._loop.time()

    async def finish(self) -> None:
        await self._wire.finish()

    async def close(self) -> None:
        await self._wire.close()

    async def close_when_idle(self, timeout_s: float) -> None:
        """Close it after `timeout_s` without traffic."""
        while (rest_s := self.used_at + timeout_s - self._loop.time()) > 0:  # noqa: ASYNC110 # an event for each use costs more
            await asyncio.sleep(rest_s)
        await self.close()

    async def drop_rest(self) -> None:
        """After a refusal: keep reading, so that the client can read the answer."""
        with contextlib.suppress(OSError, TimeoutError):
            await self.finish()
            async with asyncio.timeout(REFUSED_S):
                while await self.receive():
                    pass

    async def linger(self, receiving: asyncio.Task[None]) -> None:
        """After the last byte: let the client read it and close.

        Closing with unread data would reset the connection.
        """
        with contextlib.suppress(OSError, FailedPrecondition):
            await self.finish()
        await asyncio.wait({receiving}, timeout=LINGER_S)


async def accept(connected: socket.socket, tls: ssl.SSLContext | None) -> ClientConnection:
    """A wire on an accepted socket. Raises OSError and ssl.SSLError."""
    connected.setblocking(False)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    if tls is None:
        return ClientConnection(SocketWire(connected))
    secured = TlsWire(connected, tls)
    await secured.handshake()
    return ClientConnection(secured)


async def read_head(connection: ClientConnection, handshake: ServerHandshake) -> UpgradeRequest:
    """The request's head. Raises ProtocolError and OSError. The caller limits the time."""
    while (request := handshake.receive_data(bytes(await connection.receive()))) is None:
        pass
    return request
