"""Records joined to lines, for one container's log. Pure; memory is bounded whatever the container writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from podwright.crilog.records import Record, Stream, parse_record

# A container that never ends its line must not fill the reader's memory: a longer one comes in pieces.
LINE_LIMIT_BYTES = 1024 * 1024

# What a record counts under: its stream, or None for a record in another format.
Key = Stream | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a container wrote, without the line end.

    `time` is that of the first record, as the runtime wrote it; empty for a record in another format, which comes as
    it stands, on stderr. `ended` is False for a piece that the line's next piece follows, and for what a container
    left without a newline.
    """

    time: str
    stream: Stream
    text: bytes
    ended: bool = True


@dataclass(slots=True)
class _Begun:
    """A line of which the end has not come yet."""

    time: str
    parts: list[bytes]
    size_bytes: int


@dataclass(slots=True)
class LineParser:
    """Bytes in, lines out.

    `position` is the offset of the first byte that is fed; `shown_from` holds, by stream, the offset of the first
    record that counts (`tail.Tail` says which).
    """

    position: int = 0
    shown_from: Mapping[Key, int] = field(default_factory=dict)
    _rest: bytes = b""
    _begun: dict[Stream, _Begun] = field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[Line]:
        """Lines that `data` completes."""
        *records, self._rest = (self._rest + data).split(b"\n")
        for record in records:
            if (line := self._take(record, newline=True)) is not None:
                yield line
        if len(self._rest) > 2 * LINE_LIMIT_BYTES:  # no runtime writes such records
            yield from self.end_file()

    def end_file(self) -> Iterator[Line]:
        """The file ends here and another goes on: a record without its newline stays without it."""
        record, self._rest = self._rest, b""
        if (line := self._take(record, newline=False)) is not None:
            yield line

    def flush(self) -> Iterator[Line]:
        """What is left at the end: lines that never got their end."""
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
