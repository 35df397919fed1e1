"""The CRI log format: parsing it, joining partial lines, following a file that grows.

Format: RFC 3339 time, stream, tag (P for a partial line, F for a full one), text, line end. The parser is pure;
`follow_log` reads a local file and polls it, since CRI has no call for logs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from podwright.agent.seed.reporter import LogLine

POLL_S = 0.1
CHUNK_BYTES = 256 * 1024
# A container that never ends its line must not fill our memory: longer ones are shown in pieces.
LINE_LIMIT_BYTES = 1024 * 1024


@dataclass(slots=True)
class LogParser:
    """Bytes in, whole lines out, for one container's log."""

    container: str
    _buffer: bytes = b""
    _partial: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[LogLine]:
        """Lines that `data` completes. Records that do not parse are passed on as they stand, on stderr."""
        *records, self._buffer = (self._buffer + data).split(b"\n")
        for record in records:
            line = self._record(record)
            if line is not None:
                yield line
        if len(self._buffer) > 2 * LINE_LIMIT_BYTES:
            record, self._buffer = self._buffer, b""
            yield self._line("stderr", "", record)

    def flush(self) -> Iterator[LogLine]:
        """What is left at the end: lines that never got their end."""
        if self._buffer:
            record, self._buffer = self._buffer, b""
            line = self._record(record)
            if line is not None:
                yield line
        for stream, (time, text) in list(self._partial.items()):
            yield self._line(stream, time, text)
        self._partial.clear()

    def _record(self, record: bytes) -> LogLine | None:
        time, _, rest = record.partition(b" ")
        stream, _, rest = rest.partition(b" ")
        tags, separator, text = rest.partition(b" ")
        if stream not in (b"stdout", b"stderr") or not (separator or tags):
            return self._line("stderr", "", record) if record else None
        name = stream.decode()
        first_time, before = self._partial.pop(name, (time.decode(errors="replace"), b""))
        whole = before + text
        # More tags may follow after a colon one day; the first says whether the line is complete.
        if tags.split(b":")[0] == b"P" and len(whole) <= LINE_LIMIT_BYTES:
            self._partial[name] = (first_time, whole)
            return None
        return self._line(name, first_time, whole)

    def _line(self, stream: str, time: str, text: bytes) -> LogLine:
        kind: Literal["stdout", "stderr"] = "stdout" if stream == "stdout" else "stderr"
        return LogLine(container=self.container, stream=kind, time=time, text=text.decode(errors="replace"))


async def follow_log(path: str, parser: LogParser, emit: Callable[[LogLine], None], ended: asyncio.Event) -> None:
    """Emit the lines of `path` as they come, until `ended` is set and the file is read to its end.

    A file that is not there yet is waited for; one that was rotated away is followed to its successor.
    """
    descriptor = -1
    try:
        while True:
            last = ended.is_set()
            if descriptor < 0:
                descriptor = _open(path)
            while descriptor >= 0 and (chunk := os.read(descriptor, CHUNK_BYTES)):
                for line in parser.feed(chunk):
                    emit(line)
                await asyncio.sleep(0)
            if descriptor >= 0 and _was_rotated(path, descriptor):
                os.close(descriptor)
                descriptor = -1
                continue
            if last:
                break
            await _pause(ended)
        for line in parser.flush():
            emit(line)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


async def _pause(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_S):
            await ended.wait()
    except TimeoutError:
        pass


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


def _was_rotated(path: str, descriptor: int) -> bool:
    """Another file has the name now."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)


def tail_text(path: str, *, lines: int, limit_bytes: int) -> str:
    """The last lines of a log as the container wrote them, for FallbackToLogsOnError; empty when unreadable."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            # A CRI record adds some 40 bytes to each line.
            file.seek(max(0, file.tell() - limit_bytes - 64 * lines))
            data = file.read()
    except OSError:
        return ""
    parser = LogParser("")
    found = [line.text for line in (*parser.feed(data), *parser.flush())][-lines:]
    return "\n".join(found).encode()[-limit_bytes:].decode(errors="ignore")
