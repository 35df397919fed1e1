"""Pipes and terminals that coroutines read and write, at the speed of the other end.

Used to pass a child's stdio on while it runs. Nothing is buffered here: unread data stays in the kernel's pipe, and
the child waits.
"""

from __future__ import annotations

import asyncio
import errno
import os

CHUNK_BYTES = 65536  # a pipe's own size


class _Descriptor:
    """A non-blocking descriptor that we own, with at most one coroutine that waits for it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] | None = None
        os.set_blocking(fd, False)

    @property
    def fd(self) -> int:
        """The descriptor, for ioctls. -1 after it is closed."""
        return self._fd

    def close(self) -> None:
        """Close it and wake the waiting coroutine. May be called more than once."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._wake()

    def _wake(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)


class FdReader(_Descriptor):
    """The read end of a pipe, or a terminal's master. Closing it gives the writer EPIPE or a hang-up."""

    async def read(self, limit_bytes: int = CHUNK_BYTES) -> bytes:
        """The next data. Waits for it. Empty at the end, or if this is closed in the meantime."""
        while self._fd >= 0:
            try:
                return os.read(self._fd, limit_bytes)
            except BlockingIOError:
                await self._readable()
            except OSError as failure:
                if failure.errno == errno.EIO:  # a terminal that no process has open
                    break
                raise
        return b""

    async def _readable(self) -> None:
        self._ready = self._loop.create_future()
        self._loop.add_reader(self._fd, self._wake)
        try:
            await self._ready
        finally:
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)


class FdWriter(_Descriptor):
    """The write end of a pipe, or a terminal's master. Closing a pipe is the reader's end of file."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Return when the kernel has all of it. Raises BrokenPipeError if the reader is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._writable()
            except OSError as failure:
                if failure.errno in (errno.EIO, errno.EPIPE, errno.EBADF):
                    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from failure
                raise

    async def _writable(self) -> None:
        self._ready = self._loop.create_future()
        self._loop.add_writer(self._fd, self._wake)
        try:
            await self._ready
        finally:
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)
