"""Writes to a socket without waiting: data that the socket does not accept is buffered and sent in the background.

For multiplexed connections: one reader serves many sockets, and a slow socket blocks the others only when its buffer
is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable

LIMIT_BYTES = 1024 * 1024

Buffer = bytes | bytearray | memoryview


class Outlet:
    """The sending half of a non-blocking stream socket, which stays the caller's."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        limit_bytes: int = LIMIT_BYTES,
        on_written: Callable[[int], None] | None = None,
    ) -> None:
        """`on_written` is called for all bytes that the socket has accepted."""
        self._socket = connection
        self._limit_bytes = limit_bytes
        self._on_written = on_written
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._room = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self._finishing = False
        self.broken = False  # the peer is gone: drop all data

    async def write(self, data: Buffer) -> None:
        """Send or buffer. Waits only while the buffer is full. Never raises for a broken socket."""
        if self.broken or self._finishing:
            return
        view = memoryview(data)
        if not self._kept_bytes:
            view = self._send_now(view)
        if not view or self.broken:
            return
        self._kept.append(bytes(view))
        self._kept_bytes += len(view)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(), name="outlet")
        while self._kept_bytes > self._limit_bytes and not self.broken:
            self._room.clear()
            await self._room.wait()

    def finish(self) -> None:
        """End the sending direction: the peer sees the end after the buffered data."""
        if not self._finishing:
            self._finishing = True
            if not self._kept_bytes:
                self._end()

    async def drained(self) -> None:
        """Wait until the buffer is empty."""
        if self._flushing is not None:
            await asyncio.shield(self._flushing)

    async def close(self) -> None:
        """Drop buffered data."""
        self._break()
        if self._flushing is not None:
            self._flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flushing

    def _send_now(self, view: memoryview) -> memoryview:
        try:
            count = self._socket.send(view)
        except (BlockingIOError, InterruptedError):
            return view
        except OSError:
            self._break()
            return view[:0]
        self._tell(count)
        return view[count:]

    def _tell(self, count_bytes: int) -> None:
        if self._on_written is not None:
            self._on_written(count_bytes)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._kept:
                data = self._kept.popleft()
                await loop.sock_sendall(self._socket, data)
                self._kept_bytes -= len(data)
                self._tell(len(data))
                if self._kept_bytes <= self._limit_bytes:
                    self._room.set()
        except OSError:
            self._break()
        self._flushing = None
        if self._finishing:
            self._end()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _break(self) -> None:
        self.broken = True
        self._kept.clear()
        self._room.set()
