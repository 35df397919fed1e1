"""Our own stdin, stdout and stderr as streams: terminals, pipes and files, in blocking mode.

They are shared with the shell that started us, and non-blocking mode would break it. Reading waits until there is
data. A thread of its own writes, and a reader that does not read only blocks that thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import BinaryIO, TextIO

READ_BYTES = 64 * 1024
KEPT_LIMIT_BYTES = 1024 * 1024

Buffer = bytes | bytearray | memoryview


def binary_output(stream: TextIO | None) -> BinaryIO:
    """The bytes output for `sys.stdout` or `sys.stderr`, which is None if our caller has closed it."""
    return stream.buffer if stream is not None else open(os.devnull, "wb")  # open until the process ends


class FdSource:
    """Reads a file descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def read(self) -> bytes:
        """The next bytes. Empty at the end, and when the terminal is gone."""
        while True:
            await self._readable()
            with contextlib.suppress(BlockingIOError):  # another reader has taken the data
                try:
                    return os.read(self._fd, READ_BYTES)
                except OSError as failure:
                    if isinstance(failure, BlockingIOError):
                        raise
                    return b""

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._fd, readable.set)
        except PermissionError:  # epoll rejects regular files, which are always readable
            return
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._fd)


class FdSink:
    """Writes to a file descriptor in the background, up to a limit."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._kept: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._kept_bytes = 0
        self._moved = asyncio.Event()
        self._failure: OSError | None = None
        self._loop = asyncio.get_running_loop()
        # A daemon thread, so that a blocked write does not prevent the process from ending.
        self._thread = threading.Thread(target=self._write_all, name=f"write to {fd}", daemon=True)
        self._thread.start()

    async def write(self, data: Buffer) -> None:
        """Raises OSError when the reader is gone."""
        self._kept_bytes += len(data)
        self._kept.put(bytes(data))
        await self._until(lambda: self._kept_bytes <= KEPT_LIMIT_BYTES)

    async def drain(self) -> None:
        """Wait until everything is written. Raises OSError."""
        await self._until(lambda: self._kept_bytes == 0)

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached() and self._failure is None:
            self._moved.clear()
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure

    def _write_all(self) -> None:
        while True:
            data = self._kept.get()
            failure = None
            try:
                _write(self._fd, data)
            except OSError as broken:
                failure = broken
            try:
                self._loop.call_soon_threadsafe(self._written, len(data), failure)
            except RuntimeError:  # the loop has ended
                return

    def _written(self, count: int, failure: OSError | None) -> None:
        self._kept_bytes -= count
        self._failure = self._failure or failure
        self._moved.set()


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # another process made it non-blocking
            select.select([], [fd], [])
