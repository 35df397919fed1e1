"""Pipes to and from a child on the event loop: collects output up to a limit, and writes input."""

from __future__ import annotations

import asyncio
import contextlib
import os

CHUNK_BYTES = 65536


class OutputPipe:
    """Collects a child's output up to a limit. The rest is read and discarded."""

    def __init__(self, fd: int, number: int, limit_bytes: int) -> None:
        self.number = number  # its number in the child: 1 or 2
        self.data = bytearray()
        self._limit_bytes = limit_bytes
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._on_readable)

    def _on_readable(self) -> None:
        try:
            chunk = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            self.data += chunk[: self._limit_bytes - len(self.data)]
        else:
            self.close()

    async def ended(self, timeout_s: float) -> None:
        """Return at the end of the output, or after `timeout_s`."""
        await asyncio.wait({self.finished}, timeout=timeout_s)

    def close(self) -> None:
        """Stop reading. May be called more than once."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        if not self.finished.done():
            self.finished.set_result(None)


class _InputPipe:
    """Writes bytes to a child as fast as it reads, then closes the pipe.

    A child that stops reading ends it silently.
    """

    def __init__(self, fd: int, data: bytes) -> None:
        self._rest = memoryview(data)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._on_writable()  # usually the pipe takes all of it, without help of the event loop
        if self._fd >= 0:
            self._loop.add_writer(fd, self._on_writable)

    def _on_writable(self) -> None:
        try:
            self._rest = self._rest[os.write(self._fd, self._rest[:CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:  # EPIPE: the child has closed its stdin
            self._rest = self._rest[:0]
        if not self._rest:
            self.cancel()

    def cancel(self) -> None:
        """Close the pipe. May be called more than once."""
        if self._fd >= 0:
            with contextlib.suppress(ValueError):
                self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1


def feed(fd: int, data: bytes) -> _InputPipe:
    """Write `data` to `fd` in the background and close it. `cancel()` on the result stops early."""
    return _InputPipe(fd, data)


async def read_line(fd: int, limit_bytes: int) -> bytes:
    """The first line that a child writes to a pipe, or its output before it closed it, up to `limit_bytes`.

    The caller limits the wait and closes the descriptor.
    """
    loop = asyncio.get_running_loop()
    line = bytearray()
    finished: asyncio.Future[None] = loop.create_future()
    os.set_blocking(fd, False)

    def on_readable() -> None:
        try:
            chunk = os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        line.extend(chunk)
        if (not chunk or b"\n" in chunk or len(line) >= limit_bytes) and not finished.done():
            finished.set_result(None)

    loop.add_reader(fd, on_readable)
    try:
        await finished
    finally:
        loop.remove_reader(fd)
    return bytes(line[:limit_bytes]).partition(b"\n")[0]
