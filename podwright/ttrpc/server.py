"""Answers calls, on a unix socket or on any other connection.

A peer that floods us waits: while it has `CALLS_LIMIT` calls at work, or does not read its answers, nothing more is
read from it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

from podwright.errors import DeadlineExceeded, Internal, PodwrightError, Unimplemented
from podwright.linux.files import remove_file
from podwright.tasks import Tasks
from podwright.ttrpc.sessions import Refused, ServerSession, TtrpcRequest

log = logging.getLogger(__name__)

CALLS_LIMIT = 64  # of one connection at once
CONNECTIONS_LIMIT = 1024

Method = Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]  # (payload, metadata) -> payload
Methods = Mapping[tuple[str, str], Method]  # by the names of service and method


class ServedConnection:
    """The server's side of a connection.

    The owner of the connection passes to `receive` what comes in, and calls `lost` when it ends. `on_room` hears
    whether it may go on reading.
    """

    def __init__(
        self, methods: Methods, write: Callable[[bytes], None], on_room: Callable[[bool], None] = lambda _: None
    ) -> None:
        self._methods = methods
        self._write = write
        self._on_room = on_room
        self._session = ServerSession()
        self._calls = Tasks()

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        for event in self._session.receive(data):
            if isinstance(event, Refused):
                self._write(event.reply)
            elif isinstance(event, TtrpcRequest):
                call = self._calls.start(self._answer(event), name=f"ttrpc {event.service}/{event.method}")
                call.add_done_callback(lambda _: self._check_room())
        self._check_room()

    def _check_room(self) -> None:
        self._on_room(len(self._calls) < CALLS_LIMIT)

    async def _answer(self, request: TtrpcRequest) -> None:
        try:
            payload = await self._call(request)
            reply = self._session.respond(request.stream, payload)
        except PodwrightError as failure:
            reply = self._session.fail(request.stream, failure)
        except Exception as failure:
            log.exception("a ttrpc method failed: method=%s/%s", request.service, request.method)
            reply = self._session.fail(request.stream, Internal(f"{type(failure).__name__}: {failure}"))
        if reply:
            self._write(reply)

    async def _call(self, request: TtrpcRequest) -> bytes:
        method = self._methods.get((request.service, request.method))
        if method is None or request.streaming:
            raise Unimplemented(f"{request.service}/{request.method} is not served here")
        try:
            async with asyncio.timeout(request.timeout_ns / 1e9 or None):
                return await method(request.payload, request.metadata)
        except TimeoutError as late:
            raise DeadlineExceeded(f"{request.service}/{request.method}: the deadline passed") from late

    async def lost(self) -> None:
        """The connection has ended: calls at work are cancelled."""
        await self._calls.close()


class _ServerConnection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._writable = self._has_room = True
        self._served = ServedConnection(server.methods, self._write, self._note_room)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._server.accept(self):
            log.warning("too many ttrpc connections")
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._served.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # nobody waits for the reason
        self._server.forget(self, self._served)
        self._transport = None

    def pause_writing(self) -> None:
        self._writable = False
        self._read_or_not()

    def resume_writing(self) -> None:
        self._writable = True
        self._read_or_not()

    def _note_room(self, has_room: bool) -> None:
        self._has_room = has_room
        self._read_or_not()

    def _read_or_not(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._writable and self._has_room:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()


class Server:
    """Serves methods on a unix socket."""

    def __init__(self, methods: Methods) -> None:
        self.methods = methods
        self._connections: set[_ServerConnection] = set()
        self._endings = Tasks()
        self._listener: asyncio.Server | None = None
        self._path = ""

    async def listen(self, path: str) -> None:
        """Serve at `path`, for root alone. A socket that a killed daemon left there is replaced. Raises OSError."""
        remove_file(path)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(path)
            self._path = path
            os.chmod(path, 0o600)
            await self.serve(listener)
        except BaseException:
            listener.close()
            raise

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a socket that is bound already. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_unix_server(lambda: _ServerConnection(self), sock=listener)

    def accept(self, connection: _ServerConnection) -> bool:
        """Take a connection in. False when there are too many."""
        if len(self._connections) >= CONNECTIONS_LIMIT:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _ServerConnection, served: ServedConnection) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        self._endings.start(served.lost(), name="end a ttrpc connection")

    async def close(self) -> None:
        """Stop listening, end all connections and remove the socket."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.close()
        await asyncio.sleep(0)  # the transports tell their protocols
        await self._endings.settle(1.0)
        if self._path:
            remove_file(self._path)
