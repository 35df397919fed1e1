"""Finds the start of the last lines of a log from its end, at the cost of the tail instead of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import msgspec

from podwright.crilog.lines import LINE_LIMIT_BYTES, Key, LineParser
from podwright.crilog.records import Record, Stream, parse_record

BLOCK_BYTES = 64 * 1024
# Enough for a record's time, stream and tags.
HEADER_BYTES = 256
# Records of the other stream may lie between the parts of one line. The search for parts ends at this distance.
GAP_LIMIT_BYTES = LINE_LIMIT_BYTES
# The size of a record besides its text. A slow container without newlines gets a record for each byte.
RECORD_OVERHEAD_BYTES = 64


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Read from `offset`, and skip the records of a stream that begin before its offset in `shown_from`.

    Lines of the two streams may interleave: records of the other stream among the parts of the first wanted line
    belong to earlier lines.
    """

    offset: int = 0
    shown_from: Mapping[Key, int] = msgspec.field(default_factory=dict)

    def parser(self) -> LineParser:
        """A parser for data from `offset` on."""
        return LineParser(position=self.offset, shown_from=self.shown_from)


def find_tail(descriptor: int, lines: int, stream: Stream | None = None) -> Tail:
    """The tail of the open file with its last `lines` lines, or the last ones of one stream. Raises OSError.

    The records of a long line (tag P) count as one line with the record that ends it. A last line without a newline
    counts as well.
    """
    size = os.fstat(descriptor).st_size
    wanted: tuple[Key, ...] = ("stdout", "stderr", None) if stream is None else (stream,)
    search = _Search(lines=lines, shown_from=dict.fromkeys(wanted, size))
    for offset, record in _records_backwards(descriptor, size):
        key = record.stream if record else None
        if key in search.shown_from and search.is_over(key, offset, partial=record is not None and record.partial):
            break
    offset = min(search.shown_from.values())
    return Tail(offset=offset, shown_from={**search.shown_from, **dict.fromkeys(_others(wanted), size)})


def _others(wanted: tuple[Key, ...]) -> tuple[Key, ...]:
    keys: tuple[Key, ...] = ("stdout", "stderr", None)
    return tuple(key for key in keys if key not in wanted)


class _Search(msgspec.Struct):
    """The state of the backwards search."""

    lines: int
    shown_from: dict[Key, int]
    _found: int = 0
    _seen: set[Key] = msgspec.field(default_factory=set)
    _open: set[Key] = msgspec.field(default_factory=set)  # the first line found of these may have more parts before

    def is_over(self, key: Key, offset: int, *, partial: bool) -> bool:
        """Add the record at `offset`. Returns True if no earlier record belongs to the tail."""
        goes_on = partial and key in self._seen
        self._seen.add(key)
        if goes_on:
            if key in self._open:
                self.shown_from[key] = offset
        elif self._found < self.lines:
            self._found += 1
            self.shown_from[key] = offset
            self._open.add(key)
        else:
            self._open.discard(key)
        if self._found < self.lines:
            return False
        near = offset + GAP_LIMIT_BYTES
        return not any(key is not None and self.shown_from[key] <= near for key in self._open)


def _records_backwards(descriptor: int, size: int) -> Iterator[tuple[int, Record | None]]:
    """(offset, record) of each record, last first. Of long records only the beginning is read."""
    for begin, end in _spans_backwards(descriptor, size):
        header = os.pread(descriptor, min(HEADER_BYTES, end - begin), begin).rstrip(b"\n")
        if header:
            yield begin, parse_record(header)


def _spans_backwards(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of each line of the file, its newline included, the last one first."""
    end = position = size
    while position > 0:
        begin = max(0, position - BLOCK_BYTES)
        block = os.pread(descriptor, position - begin, begin)
        cut = len(block)
        while (cut := block.rfind(b"\n", 0, cut)) >= 0:
            after = begin + cut + 1
            if after < end:
                yield after, end
                end = after
        position = begin
    if end > 0:
        yield 0, end


def read_tail(descriptor: int, *, lines: int, limit_bytes: int) -> bytes:
    """The last lines of an open log as the container wrote them, at most `limit_bytes`. Raises OSError."""
    tail = find_tail(descriptor, lines)
    size = os.fstat(descriptor).st_size
    begin = max(tail.offset, size - limit_bytes * RECORD_OVERHEAD_BYTES)
    data = os.pread(descriptor, size - begin, begin)
    if begin > tail.offset:  # drop the rest of a record that was cut
        cut = data.find(b"\n") + 1
        begin, data = begin + cut, data[cut:]
    parser = LineParser(position=begin, shown_from=tail.shown_from)
    found = (*parser.feed(data), *parser.flush())
    return b"".join(line.text + b"\n" if line.ended else line.text for line in found)[-limit_bytes:]
