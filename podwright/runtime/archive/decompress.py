"""Decompression of archives, which unlike layers may also use xz and bzip2."""

from __future__ import annotations

from podwright.runtime.archive.stream import StreamSource
from podwright.runtime.storage.unpack import decode
from podwright.runtime.storage.unpack.failure import UnpackError

TYPE_CHECKING = False  # see decode
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Decompressor(Protocol):
        """A stream decompressor, as in lzma and bz2."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


XZ_MAGIC = b"\xfd7zXZ\0"
BZIP2_MAGIC, BZIP2_BLOCKS = b"BZh", (b"1AY&SY", b"\x17rE8P\x90")  # the magic of the first block, or of the end
HEAD_BYTES = 10
XZ_MEMORY_BYTES = 256 << 20  # xz -9 needs 65 MiB; headers can ask for 4 GiB


def opened(source: StreamSource) -> decode.Readable:
    """A decoder, chosen by the first bytes. It imports what it needs, so call it before the chroot."""
    head = source.peek(HEAD_BYTES)
    if head.startswith(XZ_MAGIC):
        import lzma  # noqa: PLC0415 # few archives need it

        return _Streams(source, "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_BYTES), lzma.LZMAError)
    if head.startswith(BZIP2_MAGIC) and head[4:] in BZIP2_BLOCKS:
        import bz2  # noqa: PLC0415 # as above

        return _Streams(source, "bzip2", bz2.BZ2Decompressor, OSError)
    return decode.opened(source)


class _Streams:
    """Any number of concatenated streams. Zeros between and after them are padding (xz's format, 2.2)."""

    def __init__(
        self, source: StreamSource, name: str, make: Callable[[], Decompressor], damaged: type[Exception]
    ) -> None:
        self._source = source
        self._name = name
        self._make = make
        self._damaged = damaged
        self._stream = make()
        self._rest = b""

    def read(self, size: int = decode.CHUNK_BYTES) -> bytes:
        """As `decode.Readable.read`. Raises UnpackError."""
        while True:
            if self._stream.eof and not self._next_stream():
                return b""
            data, self._rest = self._rest, b""
            if self._stream.needs_input and not data:
                data = self._source.read()
                if not data:
                    raise UnpackError("bad", f"the {self._name} stream is truncated")
            try:
                plain = self._stream.decompress(data, size)
            except self._damaged as failure:
                raise UnpackError("bad", f"the {self._name} stream is damaged: {failure}") from failure
            if plain:
                return plain

    def _next_stream(self) -> bool:
        rest = self._stream.unused_data
        while not (rest := rest.lstrip(b"\0")):
            rest = self._source.read()
            if not rest:
                return False
        self._stream, self._rest = self._make(), rest
        return True
