"""One record of the Engine's json-file log to one of CRI's. Pure."""

from __future__ import annotations

import msgspec


class JsonRecord(msgspec.Struct, frozen=True):
    """A line of the file (daemon/logger/jsonfilelog). A part of a longer line does not end with a newline."""

    log: str
    stream: str
    time: str


_decode = msgspec.json.Decoder(JsonRecord).decode


def converted(line: bytes) -> bytes:
    """The record in CRI's format, with its newline. Empty for a line that is no record.

    The same line gives the same bytes every time: `copying` depends on it.
    """
    try:
        record = _decode(line.strip(b"\0"))
    except msgspec.MsgspecError:
        return b""
    tag = "F" if record.log.endswith("\n") else "P"
    text = record.log.removesuffix("\n").replace("\n", " ")  # never inside; a broken file must not forge records
    return f"{record.time} {record.stream} {tag} {text}\n".encode("utf-8", "replace")


def whole_lines(data: bytes) -> int:
    """How many bytes of `data` are whole lines."""
    return data.rfind(b"\n") + 1
