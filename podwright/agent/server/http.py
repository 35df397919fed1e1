"""A small HTTP/1.1 server on h11, for GET requests that are answered from memory.

The agent's own servers need no more, and it keeps aiohttp out of the agent: 0.3 s of CPU at each start, and 20 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

import h11

from podwright.tasks import Tasks

log = logging.getLogger(__name__)

IDLE_S = 75.0  # a connection without a request for so long is closed
SEND_S = 30.0  # a client that takes no more of an answer for so long is left
HEAD_LIMIT_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
CONNECTIONS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A GET request: the parts of its path, decoded, and the names and values of its query."""

    path: tuple[str, ...]
    query: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer; `body` is complete."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


Handler = Callable[[Request], Response]


@dataclass(slots=True, kw_only=True)
class HttpServer:
    """Serves until it is closed."""

    handler: Handler
    _servers: list[asyncio.Server] = field(default_factory=list)
    _tasks: Tasks = field(default_factory=Tasks)

    async def listen_on(self, listener: socket.socket) -> None:
        """Serve on a socket that is bound. Raises OSError."""
        self._servers.append(await asyncio.start_server(self._connected, sock=listener, limit=CHUNK_BYTES))

    async def listen(self, address: str, port: int) -> int:
        """Serve on a TCP port; its number. Raises OSError."""
        server = await asyncio.start_server(self._connected, address, port, limit=CHUNK_BYTES)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Serve no more, and end the connections."""
        for server in self._servers:
            server.close()
        await self._tasks.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._tasks.start(self._serve(reader, writer), name="HTTP connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        try:
            with contextlib.suppress(OSError, TimeoutError, h11.LocalProtocolError):
                while await self._serve_one(connection, reader, writer):
                    connection.start_next_cycle()
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _serve_one(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer the next request; whether the connection can have another one. Raises OSError, TimeoutError."""
        try:
            async with asyncio.timeout(IDLE_S):
                asked = await _next_request(connection, reader)
        except h11.RemoteProtocolError as failure:
            await _send(connection, writer, b"GET", Response(status=failure.error_status_hint, body=b"bad request\n"))
            return False
        if asked is None:
            return False
        await _send(connection, writer, asked.method, self._answer(asked))
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _answer(self, asked: h11.Request) -> Response:
        if asked.method not in (b"GET", b"HEAD"):
            return Response(status=405, body=b"GET is all that is answered here\n")
        path, _, query = asked.target.decode("latin-1").partition("?")
        parts = tuple(unquote(part) for part in path.strip("/").split("/"))
        try:
            return self.handler(Request(path=parts, query=parse_qs(query, keep_blank_values=True)))
        except Exception:
            log.exception("a request failed: path=%s", path)
            return Response(status=500, body=b"the agent's log says what failed\n")


async def _next_request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The next request once it has ended, its body passed over; None when the client has gone.

    Raises RemoteProtocolError.
    """
    asked: h11.Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            asked = event
        elif isinstance(event, h11.EndOfMessage):
            return asked
        elif not isinstance(event, h11.Data):
            return None


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, method: bytes, response: Response) -> None:
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    reason = HTTPStatus(response.status).phrase
    head = connection.send(h11.Response(status_code=response.status, headers=headers, reason=reason.encode()))
    body = b"" if method == b"HEAD" else connection.send(h11.Data(data=response.body)) or b""
    end = connection.send(h11.EndOfMessage()) or b""
    async with asyncio.timeout(SEND_S):
        writer.write((head or b"") + body + end)
        await writer.drain()
