"""Where the last lines of a CRI log begin, and a parser that starts there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from podwright.agent.seed.logs import LogParser
from podwright.agent.seed.reporter import LogLine

FIRST_WINDOW_BYTES = 64 * 1024


def tail_offset(path: str, lines: int) -> int:
    """The offset of the record that begins the last `lines` lines of the file; 0 when it has no more than those.

    Records of one long line (tag P) count as one line with the one that ends it. Raises OSError.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        window = min(size, FIRST_WINDOW_BYTES)
        while True:
            begin = size - window
            file.seek(begin)
            offset = _offset_in(file.read(window), lines, from_start=begin == 0)
            if offset is not None:
                return begin + offset
            window = min(size, window * 4)


def _offset_in(data: bytes, lines: int, *, from_start: bool) -> int | None:
    """The offset inside `data`; None when its beginning is not enough to tell."""
    end = data.rfind(b"\n") + 1
    found = 0
    while end > 0:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if begin == 0 and not from_start:
            return None  # cut in the middle
        if _ends_line(data[begin:end]):
            found += 1
            if found > lines:
                return end
        end = begin
    return 0 if from_start else None


def _ends_line(record: bytes) -> bool:
    """Whether the record's tag is not P; records that do not parse are lines of their own."""
    fields = record.split(b" ", 3)
    return len(fields) < 3 or fields[2].split(b":")[0] != b"P"


@dataclass(slots=True)
class LateParser(LogParser):
    """A parser that passes over the first `skip_bytes` of what it is fed."""

    skip_bytes: int = 0

    def feed(self, data: bytes) -> Iterator[LogLine]:
        """See LogParser.feed."""
        passed = min(self.skip_bytes, len(data))
        self.skip_bytes -= passed
        yield from LogParser.feed(self, data[passed:])
