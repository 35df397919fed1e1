"""Turns the lines of a log file into bytes for a client, with one read's data in memory at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

from podwright.agent.server.api.log_options import LogOptions
from podwright.crilog.follow import LogFollower, LogWatch
from podwright.crilog.lines import Line, LineParser
from podwright.crilog.tail import find_tail
from podwright.crilog.times import parse_time

LOOK_S = 0.5  # how often a follower checks whether the container has ended
PARTS = 2  # buffered between the reader of the file and the client


class LogStream:
    """Reads one file."""

    def __init__(self, path: str, options: LogOptions, is_over: Callable[[], bool]) -> None:
        """`is_over` returns whether the container has ended and writes no more."""
        self._path = path
        self._options = options
        self._is_over = is_over
        self._left = options.limit_bytes
        self._gathered = bytearray()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(PARTS)

    async def parts(self) -> AsyncIterator[bytes]:
        """The bytes, until the log's end or its limit. Raises OSError."""
        reading = asyncio.create_task(self._read(), name="read a log")
        try:
            while (part := await self._parts.get()) is not None:
                yield part
            await reading
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self) -> None:
        watch = LogWatch()
        try:
            parser = await asyncio.to_thread(self._parser)
            follower = LogFollower(self._path, parser, self._take, watch, between=self._hand_on)
            ending = asyncio.create_task(self._finish(follower), name="wait for a container's end")
            try:
                await follower.run()
            finally:
                ending.cancel()
                await asyncio.wait({ending})
            await self._hand_on()
        except _Full:
            await self._flush()
        finally:
            watch.close()
            with contextlib.suppress(asyncio.CancelledError):
                await self._parts.put(None)

    def _parser(self) -> LineParser:
        lines = self._options.tail_lines
        if lines is None:
            return LineParser()
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return LineParser()
        try:
            return find_tail(descriptor, lines, self._options.stream).parser()
        finally:
            os.close(descriptor)

    async def _finish(self, follower: LogFollower) -> None:
        if self._options.follow:
            while not self._is_over():  # noqa: ASYNC110 # to poll a value costs less than a notice of each change
                await asyncio.sleep(LOOK_S)
        follower.finish()

    def _take(self, line: Line) -> None:
        if self._options.stream is not None and line.stream != self._options.stream:
            return
        since_ns = self._options.since_ns
        if since_ns is not None and line.time and (parse_time(line.time) or 0) < since_ns:
            return
        stamp = f"{with_nanoseconds(line.time)} ".encode() if self._options.timestamps and line.time else b""
        self._gathered += stamp + line.text + (b"\n" if line.ended else b"")
        if self._left is not None and len(self._gathered) >= self._left:
            del self._gathered[self._left :]
            raise _Full

    async def _hand_on(self) -> None:
        await self._flush()
        await asyncio.sleep(0)

    async def _flush(self) -> None:
        part = bytes(self._gathered)
        self._gathered.clear()
        if part:
            if self._left is not None:
                self._left -= len(part)
            await self._parts.put(part)


class _Full(Exception):  # a signal
    """Raised when the limit of bytes is reached."""


def with_nanoseconds(time: str) -> str:
    """A record's time in the format of RFC3339NanoFixed of Kubernetes: nine digits, in its own zone, Z for UTC."""
    time = f"{time[:-6]}Z" if time.endswith(("+00:00", "-00:00")) else time
    clock, dot, rest = time.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    if dot:
        return f"{clock}.{rest[:digits].ljust(9, '0')[:9]}{rest[digits:]}"
    return time if parse_time(time) is None else f"{time[:19]}.{0:09d}{time[19:]}"
