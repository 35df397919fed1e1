"""Connections that a request turns into the stdio of a process: attach and exec.

aiohttp gives no raw connection, so h11 writes the request and reads the head of the answer here. The rest of the
connection belongs to the process (Engine API, "Hijacking").
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import h11
import msgspec

from podwright.errors import DeadlineExceeded, Internal, Unavailable
from podwright.runtime.engines.docker.api.client import ERROR_LIMIT_BYTES, EngineClient
from podwright.runtime.engines.docker.api.failures import failure_of

OPEN_S = 60.0
READ_BYTES = 64 * 1024
SWITCHED = 101


class Hijacked:
    """One connection after its request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes) -> None:
        """`early` came together with the answer's head."""
        self._reader = reader
        self._writer = writer
        self._early = early

    async def read(self) -> bytes:
        """The next output. Empty at the end, also if the Engine has gone."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return await self._reader.read(READ_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send input. Raises BrokenPipeError if nobody reads it any more."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as failure:
            raise BrokenPipeError from failure

    def end_input(self) -> None:
        """Send no more. Output continues."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    def close(self) -> None:
        """Close the connection. The process may continue."""
        self._writer.close()


async def hijack(client: EngineClient, path: str, what: str, body: dict[str, Any] | None = None) -> Hijacked:
    """Open a connection to `path`. Raises as `failures` says, Unavailable and DeadlineExceeded."""
    try:
        async with asyncio.timeout(OPEN_S):
            reader, writer = await asyncio.open_unix_connection(client.socket_path)
            try:
                return await _upgrade(reader, writer, client.at(path), what, body)
            except BaseException:
                writer.close()
                raise
    except TimeoutError as late:
        raise DeadlineExceeded(f"Docker Engine: {what}: no answer within {OPEN_S:g} s") from late
    except OSError as failure:
        raise client.absent(what, failure) from failure


async def _upgrade(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, what: str, body: dict[str, Any] | None
) -> Hijacked:
    http = h11.Connection(h11.CLIENT)
    content = msgspec.json.encode(body) if body is not None else b""
    headers = [
        ("Host", "docker"),
        ("Connection", "Upgrade"),
        ("Upgrade", "tcp"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
    ]
    writer.write(http.send(h11.Request(method="POST", target=path, headers=headers)) or b"")
    writer.write(http.send(h11.Data(data=content)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    head = await _next(http, reader, what)
    while isinstance(head, h11.InformationalResponse) and head.status_code != SWITCHED:
        head = await _next(http, reader, what)
    if not isinstance(head, h11.Response | h11.InformationalResponse):
        raise Internal(f"Docker Engine: {what}: the answer has no head")
    if head.status_code != SWITCHED:
        raise failure_of(head.status_code, await _rest(http, reader, what), what)
    return Hijacked(reader, writer, bytes(http.trailing_data[0]))


async def _next(http: h11.Connection, reader: asyncio.StreamReader, what: str) -> Any:
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError as failure:
            raise Internal(f"Docker Engine: {what}: the answer is not HTTP: {failure}") from failure
        if event is not h11.NEED_DATA:
            return event
        data = await reader.read(READ_BYTES)
        if not data:
            raise Unavailable(f"Docker Engine: {what}: it closed the connection without an answer")
        http.receive_data(data)


async def _rest(http: h11.Connection, reader: asyncio.StreamReader, what: str) -> bytes:
    """The body of an error."""
    content = b""
    while isinstance(event := await _next(http, reader, what), h11.Data) and len(content) < ERROR_LIMIT_BYTES:
        content += bytes(event.data)
    return content
