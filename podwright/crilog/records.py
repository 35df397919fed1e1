"""One record of a log: one line, or a part of a long one. Pure.

    2026-01-02T03:04:05.678901234Z stdout F the text

The tags are between the stream and the text, joined by colons. Only the first has a meaning: P for a part of a line
that continues, F for a line's end.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Stream = Literal["stdout", "stderr"]

STREAMS: dict[bytes, Stream] = {b"stdout": "stdout", b"stderr": "stderr"}
PARTIAL = b"P"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is RFC 3339 as the runtime wrote it. `partial`: the line continues in the stream's next record."""

    time: bytes
    stream: Stream
    partial: bool
    text: bytes


def parse_record(data: bytes) -> Record | None:
    """The record in `data`, which has no newline, or None for another format.

    The text may be missing together with the space before it, because some runtimes write empty lines so.
    """
    fields = data.split(b" ", 3)
    stream = STREAMS.get(fields[1]) if len(fields) >= 3 else None
    if stream is None:
        return None
    partial = fields[2].split(b":", 1)[0] == PARTIAL
    return Record(time=fields[0], stream=stream, partial=partial, text=fields[3] if len(fields) == 4 else b"")
