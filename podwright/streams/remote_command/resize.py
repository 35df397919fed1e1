"""Terminal sizes: a sequence of JSON objects, with optional blanks in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from podwright.streams.errors import ProtocolError

MESSAGE_LIMIT_BYTES = 1024
_Cells = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class TerminalSize(msgspec.Struct, frozen=True, kw_only=True):
    """A size in characters. Both are at least 1."""

    width: int
    height: int


class _Message(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    width: _Cells = 0
    height: _Cells = 0


def pack_size(size: TerminalSize) -> bytes:
    """A size as one message."""
    return msgspec.json.encode(_Message(width=size.width, height=size.height))


class SizeReader:
    """Parses sizes from arbitrary pieces of the stream."""

    def __init__(self) -> None:
        self._gathered = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[TerminalSize]:
        """The sizes in the next bytes, without empty ones. Raises ProtocolError."""
        self._gathered += data
        while (end := self._gathered.find(b"}") + 1) > 0:  # the objects are flat
            message = bytes(self._gathered[:end])
            del self._gathered[:end]
            try:
                size = msgspec.json.decode(message, type=_Message)
            except msgspec.DecodeError as failure:
                raise ProtocolError(f"invalid terminal size: {failure}") from failure
            if size.width and size.height:
                yield TerminalSize(width=size.width, height=size.height)
        if len(self._gathered) > MESSAGE_LIMIT_BYTES:
            raise ProtocolError(f"a terminal size is longer than {MESSAGE_LIMIT_BYTES} bytes")
