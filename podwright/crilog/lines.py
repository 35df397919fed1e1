"""Joins records to lines, for one container's log. Pure, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from podwright.crilog.records import Record, Stream, parse_record

# Longer lines come in pieces, so that a container without newlines does not fill the reader's memory.
LINE_LIMIT_BYTES = 1024 * 1024

# A record's stream, or None for a record in another format.
Key = Stream | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a container's output, without the line end.

    `time` is the first record's, as the runtime wrote it. It is empty for a record in another format, which is passed
    unchanged on stderr. `ended` is False for a piece that is followed by another, and for a last line without a
    newline.
    """

    time: str
    stream: Stream
    text: bytes
    ended: bool = True


class _Begun(msgspec.Struct):
    """A line whose end has not arrived."""

    time: str
    parts: list[bytes]
    size_bytes: int


class LineParser(msgspec.Struct):
    """Parses bytes to lines.

    `position` is the offset of the first byte that is fed. `shown_from` has, by stream, the offset of the first
    record that counts (see `tail.Tail`).
    """

    position: int = 0
    shown_from: Mapping[Key, int] = msgspec.field(default_factory=dict)
    _rest: bytes = b""
    _begun: dict[Stream, _Begun] = msgspec.field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that `data` completes."""
        *records, self._rest = (self._rest + data).split(b"\n")
        for record in records:
            if (line := self._take(record, newline=True)) is not None:
                yield line
        if len(self._rest) > 2 * LINE_LIMIT_BYTES:  # no runtime writes such records
            yield from self.end_file()

    def end_file(self) -> Iterator[Line]:
        """The file ends and another follows. A record without its newline stays incomplete."""
        record, self._rest = self._rest, b""
        if (line := self._take(record, newline=False)) is not None:
            yield line

    def flush(self) -> Iterator[Line]:
        """The remaining lines without an end."""
        yield from self.end_file()
        begun, self._begun = self._begun, {}
        for stream, line in begun.items():
            yield Line(time=line.time, stream=stream, text=b"".join(line.parts), ended=False)

    def _take(self, data: bytes, *, newline: bool) -> Line | None:
        begin = self.position
        self.position += len(data) + newline
        record = parse_record(data)
        if not data or begin < self.shown_from.get(record.stream if record else None, 0):
            return None
        if record is None:
            return Line(time="", stream="stderr", text=data, ended=newline)
        return self._join(record)

    def _join(self, record: Record) -> Line | None:
        begun = self._begun.pop(record.stream, None) or _Begun(record.time.decode(errors="replace"), [], 0)
        begun.parts.append(record.text)
        begun.size_bytes += len(record.text)
        if record.partial and begun.size_bytes <= LINE_LIMIT_BYTES:
            self._begun[record.stream] = begun
            return None
        text = b"".join(begun.parts)
        return Line(time=begun.time, stream=record.stream, text=text, ended=not record.partial)
