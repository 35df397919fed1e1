"""Byte streams below the protocols: a TCP connection. `tls_wire` adds TLS, `tunnel_wire` is one inside a WebSocket.

Built for bulk data: received data stays in the wire's buffer, and the kernel gathers the parts that are sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Protocol

from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams.errors import ProtocolError

RECEIVE_BYTES = 256 * 1024
ANSWERS_LIMIT_BYTES = 4 * 1024 * 1024

Buffer = bytes | bytearray | memoryview


class Wire(Protocol):
    """A byte stream in both directions. One task receives, any number may send.

    Cancel a send only to close the wire, because half a frame may be sent.
    """

    async def receive(self) -> Buffer:
        """The next bytes, valid until the next call. Empty at the end of the stream. Raises OSError."""

    def push_back(self, data: bytes) -> None:
        """Return these bytes at the next receive."""

    async def send(self, *parts: Buffer) -> None:
        """Send the parts one after the other, without other data in between. Raises OSError."""

    async def finish(self) -> None:
        """End the sending direction if possible. Receiving continues. Raises OSError."""

    async def close(self) -> None:
        """Close at once, in both directions."""


async def receive_or_end(wire: Wire) -> Buffer:
    """The next bytes. A broken connection counts as ended."""
    try:
        return await wire.receive()
    except OSError:
        return b""


async def deliver(wire: Wire, *parts: Buffer) -> None:
    """Send the parts, if there is anything in them. Raises Unavailable if the connection is broken or closing."""
    if not any(map(len, parts)):
        return
    try:
        await wire.send(*parts)
    except (OSError, FailedPrecondition) as failure:
        raise Unavailable(f"the streaming connection broke: {failure}") from failure


class Aside:
    """Sends a receiver's answers (pongs, close frames) without blocking it, as many at once as there are.

    If a receiver waited for a sender, two full sockets could wait for each other.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting = bytearray()
        self._sending: asyncio.Task[None] | None = None

    def send(self, answers: bytes) -> None:
        """Send them soon, in order. The receiver notices a broken wire.

        Raises ProtocolError if the peer keeps sending requests and does not read the answers.
        """
        if not answers:
            return
        self._waiting += answers
        if len(self._waiting) > ANSWERS_LIMIT_BYTES:
            raise ProtocolError("the peer does not read the answers to its requests")
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="answers")

    def cancel(self) -> None:
        """Call it before the wire is closed."""
        if self._sending is not None:
            self._sending.cancel()

    async def _send_all(self) -> None:
        try:
            with contextlib.suppress(OSError, FailedPrecondition):
                while self._waiting:
                    answers, self._waiting = self._waiting, bytearray()
                    await self._wire.send(answers)
        finally:
            self._sending = None


class SocketWire:
    """A connected, non-blocking stream socket, which it owns.

    If a descriptor is closed while the event loop waits for it, the wait never ends. So `close` wakes the waiters,
    and the last one closes the descriptor.
    """

    def __init__(self, connection: socket.socket, *, receive_bytes: int = RECEIVE_BYTES, first_bytes: int = 0) -> None:
        """`receive_bytes` at most are received at once.

        With `first_bytes`, the buffer begins with that size and doubles when it is full: a connection that waits for
        little costs little.
        """
        self._socket = connection
        self._limit_bytes = receive_bytes
        self.receive_bytes = first_bytes or receive_bytes  # of the next receive
        self._leftover = b""
        self._buffer: memoryview | None = None
        self._sending = asyncio.Lock()
        self._users = 0  # tasks that receive or send
        self._closing = False

    async def receive(self) -> Buffer:
        if self._leftover:
            leftover, self._leftover = self._leftover, b""
            return leftover
        if self._buffer is None or len(self._buffer) < self.receive_bytes:
            self._buffer = memoryview(bytearray(self.receive_bytes))
        with self._in_use():
            count = await asyncio.get_running_loop().sock_recv_into(self._socket, self._buffer)
        if count == self.receive_bytes:
            self.receive_bytes = min(2 * count, self._limit_bytes)
        return self._buffer[:count]

    def push_back(self, data: bytes) -> None:
        self._leftover = data + self._leftover

    async def send(self, *parts: Buffer) -> None:
        with self._in_use():
            async with self._sending:
                await send_all(self._socket, parts)

    async def finish(self) -> None:
        with self._in_use():
            async with self._sending:
                self._socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._close_if_unused()

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._closing and not self._users:
            self._socket.close()


async def send_all(connection: socket.socket, parts: tuple[Buffer, ...]) -> None:
    """Write the parts to a non-blocking socket with as few system calls as possible. Raises OSError."""
    try:
        sent = connection.sendmsg(parts)
    except BlockingIOError:
        sent = 0
    loop = asyncio.get_running_loop()
    for part in parts:
        if sent >= len(part):
            sent -= len(part)
            continue
        await loop.sock_sendall(connection, memoryview(part)[sent:])
        sent = 0
