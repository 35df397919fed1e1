"""Calls over one connection, many at a time, each with its own deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping

from podwright.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from podwright.ttrpc.sessions import ClientSession, Data, TtrpcRequest

CALLS_LIMIT = 1024  # at once; a server that answers nothing costs no more memory than that
NO_METADATA: Mapping[str, str] = {}


class TtrpcClient:
    """The client's side of a connection.

    The owner of the connection passes to `receive` what comes in, and calls `lost` when it ends. `connect` does both
    for a unix socket.
    """

    def __init__(self, write: Callable[[bytes], None], close: Callable[[], None]) -> None:
        """`write` sends bytes at once or keeps them until it can, `close` ends the connection."""
        self._write = write
        self._close = close
        self._session = ClientSession()
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def call(
        self,
        service: str,
        method: str,
        payload: bytes,
        *,
        timeout_s: float | None,
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> bytes:
        """One unary call. With `timeout_s` None it waits without a limit.

        Raises the error of the server's status, DeadlineExceeded, Unavailable when the connection is lost, and
        ResourceExhausted for a message that is too large or when too many calls wait already.
        """
        self._check_room(method)
        stream = self._session.new_stream()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        timeout_ns = 0 if timeout_s is None else max(1, int(timeout_s * 1e9))
        request = TtrpcRequest(
            stream=stream, service=service, method=method, payload=payload, timeout_ns=timeout_ns, metadata=metadata
        )
        sent = self._session.call(request)
        self._calls[stream] = answer
        try:
            self._write(sent)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as late:
            raise DeadlineExceeded(f"{service}/{method} was not answered within {timeout_s:g} s") from late
        finally:
            self._calls.pop(stream, None)
            self._session.give_up(stream)

    def _check_room(self, method: str) -> None:
        if self.ended.done():
            raise Unavailable(f"{method}: the connection is closed")
        if len(self._calls) >= CALLS_LIMIT:
            raise ResourceExhausted(f"{method}: {CALLS_LIMIT} calls wait for answers already")

    def receive(self, data: bytes) -> None:
        """Bytes from the server."""
        for event in self._session.receive(data):
            answer = self._calls.get(event.stream)
            if isinstance(event, Data) or answer is None or answer.done():
                continue
            if event.failure is not None:
                answer.set_exception(event.failure)
            else:
                answer.set_result(event.payload)

    def lost(self) -> None:
        """The connection has ended: every call that waits fails with Unavailable."""
        if not self.ended.done():
            self.ended.set_result(None)
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(Unavailable("the connection was lost before the answer"))

    def close(self) -> None:
        """End the connection. May be called again."""
        self._close()
        self.lost()


class _ClientConnection(asyncio.Protocol):
    """Moves the bytes of a client over a unix socket."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self.client = TtrpcClient(self._write, self._close)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.client.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the calls learn of it
        self.client.lost()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(path: str, *, timeout_s: float) -> TtrpcClient:
    """A client on the unix socket at `path`. One that begins with NUL is in the abstract namespace.

    Raises Unavailable when nobody listens there, and DeadlineExceeded when nobody accepts.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            await loop.sock_connect(connection, path)
            _, protocol = await loop.create_unix_connection(_ClientConnection, sock=connection)
    except TimeoutError as late:
        connection.close()
        raise DeadlineExceeded(f"{shown(path)} did not accept a connection within {timeout_s:g} s") from late
    except OSError as failure:
        connection.close()
        reason = os.strerror(failure.errno) if failure.errno else str(failure)
        raise Unavailable(f"cannot connect to {shown(path)}: {reason}") from failure
    except BaseException:
        with contextlib.suppress(OSError):
            connection.close()
        raise
    return protocol.client


def shown(path: str) -> str:
    """A socket's path for a message."""
    return path.replace("\0", "@", 1)
