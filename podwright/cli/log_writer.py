"""Writes lines of a container's log to our stdout and stderr, byte for byte."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from podwright.crilog.lines import Line
from podwright.crilog.records import Stream
from podwright.crilog.times import parse_time


class LimitReached(Exception):
    """The wanted number of bytes was written."""


class LogWriter(msgspec.Struct, kw_only=True):
    """Writes each line to the stream that the container wrote it to.

    Skips lines older than `since_ns`. A record in another format has no time and is written. After `limit_bytes`
    (both streams together, including times) raises LimitReached.
    """

    out: BinaryIO
    err: BinaryIO
    timestamps: bool = False
    since_ns: int | None = None
    stream: Stream | None = None
    limit_bytes: int | None = None
    at_once: bool = False
    _last: BinaryIO | None = None
    _within: set[Stream] = msgspec.field(default_factory=set)  # streams whose last piece did not end a line

    def write(self, line: Line) -> None:
        """Write the line if it is wanted. Raises LimitReached, OSError."""
        continued = line.stream in self._within
        (self._within.discard if line.ended else self._within.add)(line.stream)
        if self._is_unwanted(line):
            return
        time = f"{line.time} ".encode() if self.timestamps and line.time and not continued else b""
        self._put(line.stream, time + line.text + (b"\n" if line.ended else b""))

    def _is_unwanted(self, line: Line) -> bool:
        if self.stream is not None and (line.stream != self.stream or not line.time):
            return True
        time_ns = parse_time(line.time) if self.since_ns is not None else None
        return time_ns is not None and self.since_ns is not None and time_ns < self.since_ns

    def _put(self, stream: Stream, data: bytes) -> None:
        if self.limit_bytes is not None:
            data = data[: self.limit_bytes]
            self.limit_bytes -= len(data)
        target = self.out if stream == "stdout" else self.err
        if self._last not in (None, target):
            self.flush()  # keeps the container's order on a terminal that shows both streams
        self._last = target
        target.write(data)
        if self.at_once or target is self.err:
            target.flush()
        if self.limit_bytes == 0:
            raise LimitReached

    def flush(self) -> None:
        """Flush buffered output."""
        if self._last is not None:
            self._last.flush()
