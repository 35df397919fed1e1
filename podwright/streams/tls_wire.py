"""TLS on a wire, for both roles, with a half-close.

asyncio's TLS has no half-close, and drops data for a peer that has finished sending. In TLS 1.3 each direction ends
by itself. TLS 1.2 requires a receiver of the end to end its own direction and drop unsent data, so a strict peer gets
nothing after its own end. Streams do not suffer from that, because SPDY and WebSockets end each stream themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping

from podwright.streams.errors import ProtocolError
from podwright.streams.wire import Buffer, SocketWire

RECEIVE_BYTES = 64 * 1024
RECORD_LIMIT_BYTES = 18 * 1024  # more than a TLS record may have
ANSWERS_LIMIT_BYTES = 64 * 1024


class TlsWire:
    """A Wire on a connected, non-blocking stream socket, which it owns. Call `handshake` first."""

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        first_bytes: int = 0,
    ) -> None:
        """A client names its server, which has to show a certificate for that name if the context wants any.

        For `first_bytes`, see SocketWire.
        """
        self._wire = SocketWire(connection, receive_bytes=RECEIVE_BYTES, first_bytes=first_bytes)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )
        self._leftover = b""
        self._buffer: memoryview | None = None
        self._filled_bytes = 0  # the most that has come at once
        self._ended = False
        self._sending = asyncio.Lock()
        self._answering: asyncio.Task[None] | None = None

    async def handshake(self) -> None:
        """Raises ssl.SSLError and OSError. The caller limits the time."""
        try:
            while not self._is_shaken():
                await self._flush()
                await self._fill()
            await self._flush()
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await self._flush()  # the alert with the reason
            raise

    def peer_certificate(self) -> Mapping[str, object] | None:
        """The peer's certificate, as `ssl.SSLObject.getpeercert` describes it. None when it has shown none."""
        return self._tls.getpeercert() or None

    def _is_shaken(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    async def receive(self) -> Buffer:
        """Also raises ProtocolError for a peer that requests new keys and does not read them."""
        if self._leftover:
            leftover, self._leftover = self._leftover, b""
            return leftover
        while not (count := self._decrypt(self._room())) and not self._ended:
            await self._fill()
        return self._room()[:count]

    def _room(self) -> memoryview:
        """Enough for all that can have come at once, with the rest of a record before it."""
        size = self._filled_bytes + RECORD_LIMIT_BYTES
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer

    def _decrypt(self, buffer: memoryview) -> int:
        """Decrypt everything that has arrived, because `finish` needs that."""
        filled = 0
        try:
            while filled < len(buffer) and not self._ended:
                count: int = self._tls.read(len(buffer) - filled, buffer[filled:])  # type: ignore[assignment] # typeshed knows it without a buffer only
                self._ended = not count
                filled += count
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # SSLEOFError: without close_notify, as many clients end
            self._ended = True
        self._answer()
        return filled

    async def _fill(self) -> None:
        if data := await self._wire.receive():
            self._filled_bytes = max(self._filled_bytes, len(data))
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _answer(self) -> None:
        """Send TLS's own messages (new keys) without blocking the receiver. Raises ProtocolError."""
        if self._outgoing.pending > ANSWERS_LIMIT_BYTES and self._answering is not None:
            raise ProtocolError("the peer does not read the answers to its requests")
        if self._outgoing.pending and self._answering is None:
            self._answering = asyncio.create_task(self._send_answers(), name="TLS answers")

    async def _send_answers(self) -> None:
        try:
            with contextlib.suppress(OSError):  # the receiver notices it
                async with self._sending:
                    await self._flush()
        finally:
            self._answering = None

    def push_back(self, data: bytes) -> None:
        self._leftover = data + self._leftover

    async def send(self, *parts: Buffer) -> None:
        async with self._sending:
            self._tls.write(parts[0] if len(parts) == 1 else b"".join(parts))
            await self._flush()

    async def _flush(self) -> None:
        """Send records in the order of their creation, by one task at a time."""
        while records := self._outgoing.read():
            await self._wire.send(records)

    async def finish(self) -> None:
        async with self._sending:
            with contextlib.suppress(ssl.SSLWantReadError):  # the peer's close_notify may come much later
                self._tls.unwrap()
            await self._flush()
            await self._wire.finish()

    async def close(self) -> None:
        await self._wire.close()
