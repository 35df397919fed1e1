"""Port-forward: any number of connections to ports of a pod over one session.

Each connection is a pair of SPDY streams, on a SPDY connection or on one inside a WebSocket (the tunnel). A pair lasts
until the server has ended both streams, or both directions of the local socket have ended:

    local socket -> data stream -> the pod's port
    local socket <- data stream <- the pod's port         error stream -> why the port is not reachable

What a local peer does not read is buffered up to a window. A server with flow control then stops sending on that
connection, and a server without it waits with all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncIterator

from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams import negotiation
from podwright.streams.client.dial import StreamTransport, upgrade
from podwright.streams.errors import ProtocolError
from podwright.streams.outlet import LIMIT_BYTES, Outlet
from podwright.streams.port_forward import PROTOCOL, ForwardStreamType, stream_headers
from podwright.streams.spdy.session import DATA_HEADER_BYTES
from podwright.streams.spdy_connection import Opening, SpdyConnection
from podwright.streams.tunnel_wire import TunnelWire
from podwright.streams.websocket import handshake
from podwright.streams.websocket.connection import CLIENT, WebSocket
from podwright.streams.wire import Wire

READ_BYTES = 256 * 1024
ERROR_LIMIT_BYTES = 4 * 1024


@contextlib.asynccontextmanager
async def forwarding(
    url: str, *, transport: StreamTransport = StreamTransport.SPDY, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Forwarder]:
    """A session on the URL from PortForward. Leaving the context closes it and all its connections.

    Raises what `dial.upgrade` raises, and ProtocolError.
    """
    wire = await (_open_tunnel(url, tls) if transport is StreamTransport.WEBSOCKET else _open_spdy(url, tls))
    connection = SpdyConnection(wire, window_bytes=LIMIT_BYTES)
    running = asyncio.create_task(connection.run(), name="port-forward")
    forwarder = Forwarder(connection)
    try:
        yield forwarder
    finally:
        running.cancel()
        await wire.close()
        await forwarder.close()
        await asyncio.gather(running, return_exceptions=True)


async def _open_spdy(url: str, tls: ssl.SSLContext | None) -> Wire:
    upgraded = await upgrade(url, "POST", negotiation.spdy_request_headers([PROTOCOL]), tls=tls)
    if negotiation.spdy_chosen(upgraded.response, [PROTOCOL]) is None:
        await upgraded.wire.close()
        raise ProtocolError("the server does not forward ports on this URL")
    return upgraded.wire


async def _open_tunnel(url: str, tls: ssl.SSLContext | None) -> Wire:
    key, offered = handshake.new_key(), [handshake.TUNNEL]
    upgraded = await upgrade(url, "GET", handshake.request_headers(key, offered), tls=tls)
    try:
        if handshake.chosen_protocol(upgraded.response, key, offered) != handshake.TUNNEL:
            raise ProtocolError("the server has no tunnel for port-forwards on this URL")
    except BaseException:
        await upgraded.wire.close()
        raise
    return TunnelWire(upgraded.wire, WebSocket(CLIENT))


class Forwarder:
    """One session."""

    def __init__(self, connection: SpdyConnection) -> None:
        self._connection = connection
        self._request_ids = itertools.count()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def ended(self) -> asyncio.Event:
        """Set when the session has ended. A new session needs a new URL."""
        return self._connection.ended

    async def forward(self, local: socket.socket, port: int) -> None:
        """Connect a non-blocking socket to a port of the pod. The socket is closed at the end.

        Returns when the connection has ended. Raises Unavailable if the session has ended or ends in the meantime,
        and FailedPrecondition with the server's message if the port is not reachable. In that case the session
        continues.
        """
        pair = _Pair(self._connection, local)
        try:
            await pair.open(port, str(next(self._request_ids)))
            pump = asyncio.create_task(pair.send_local(), name="port-forward")
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)
            await pair.ended()
        finally:
            await pair.close()

    async def close(self) -> None:
        """Call it after the wire is closed. Before that, cancelling a pump could leave half a frame."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


class _Pair:
    """One connection."""

    def __init__(self, connection: SpdyConnection, local: socket.socket) -> None:
        self._connection = connection
        self._local = local
        self._outlet = Outlet(local, on_written=self._taken)
        self._said = bytearray()  # data of the error stream
        self._data_id = 0
        self._pumping = self._closing = False  # the direction that ends last closes the local socket
        self._data_ended = self._error_ended = self._lost = False
        self._over = asyncio.Event()

    async def open(self, port: int, request_id: str) -> None:
        """Raises Unavailable."""
        error = Opening(
            headers=stream_headers(ForwardStreamType.ERROR, port, request_id), handler=_ErrorStream(self), fin=True
        )
        data = Opening(headers=stream_headers(ForwardStreamType.DATA, port, request_id), handler=_DataStream(self))
        _, self._data_id = await self._connection.open(error, data)
        self._pumping = True

    async def ended(self) -> None:
        """Wait for the end. Raises what `forward` raises."""
        await self._over.wait()
        if not self._lost:  # after a reset, do not wait for a local peer that reads nothing
            await self._outlet.drained()
        if self._said:
            raise FailedPrecondition(bytes(self._said).decode(errors="replace").strip())
        if self._lost and self._connection.ended.is_set():
            raise Unavailable("the port-forward session ended under a connection")

    async def close(self) -> None:
        """Close the local socket and reset the pair's open streams."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._local.shutdown(socket.SHUT_RDWR)  # wakes the pump
        await self._outlet.close()
        self._connection.reset(self._data_id)
        if not self._pumping:
            self._local.close()

    async def send_local(self) -> None:
        """Copy from the local socket to the pod, until either side ends."""
        loop = asyncio.get_running_loop()
        buffer = memoryview(bytearray(DATA_HEADER_BYTES + READ_BYTES))
        try:
            while count := await loop.sock_recv_into(self._local, buffer[DATA_HEADER_BYTES:]):
                await self._connection.send_behind_header(self._data_id, buffer, count)
            await self._connection.send_fin(self._data_id)
        except OSError:  # the local peer reset its connection, so it needs no answer
            self._over.set()
        except (Unavailable, FailedPrecondition):
            pass  # the receiving task reports the failure
        finally:
            self._pumping = False
            if self._closing:
                self._local.close()

    async def on_data(self, payload: memoryview) -> None:
        """Data from the pod."""
        await self._outlet.write(payload)
        if self._outlet.broken:
            self._over.set()

    def _taken(self, count_bytes: int) -> None:
        self._connection.taken(self._data_id, count_bytes)

    def on_data_end(self, *, reset: bool) -> None:
        """The pod, or its server, has ended its direction."""
        self._lost = reset
        self._outlet.finish()
        self._data_ended = True
        self._check_over()

    def on_error_text(self, text: memoryview) -> None:
        """The server's message about the port."""
        self._said += text[: ERROR_LIMIT_BYTES - len(self._said)]

    def on_error_end(self) -> None:
        """The server has finished with this connection."""
        self._error_ended = True
        self._check_over()

    def _check_over(self) -> None:
        if self._data_ended and self._error_ended:
            self._over.set()


class _DataStream:
    def __init__(self, pair: _Pair) -> None:
        self._pair = pair

    async def on_data(self, payload: memoryview) -> None:
        await self._pair.on_data(payload)

    async def on_end(self, *, reset: bool) -> None:
        self._pair.on_data_end(reset=reset)


class _ErrorStream:
    def __init__(self, pair: _Pair) -> None:
        self._pair = pair

    async def on_data(self, payload: memoryview) -> None:
        self._pair.on_error_text(payload)

    async def on_end(self, *, reset: bool) -> None:  # noqa: ARG002 # either way it is over
        self._pair.on_error_end()
