"""Header blocks: names and values, compressed by one zlib stream per direction for the whole connection.

Every received block must be decompressed in order, even if unused, and blocks must be sent in the order of packing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from podwright.streams.spdy.dictionary import DICTIONARY
from podwright.streams.spdy.errors import SpdyError

OPENED_LIMIT_BYTES = 32 * 1024
# A window of 2 KiB holds the dictionary and our short headers. zlib's default costs 256 KiB per connection.
_WINDOW_BITS = 11
_MEMORY_LEVEL = 1
_COUNT = struct.Struct(">I")


class HeaderPacker:
    """The sending direction."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(
            level=zlib.Z_DEFAULT_COMPRESSION, wbits=_WINDOW_BITS, memLevel=_MEMORY_LEVEL, zdict=DICTIONARY
        )

    def pack(self, headers: Mapping[str, str]) -> bytes:
        """The next block. Names are in lower case, as required. NUL separates several values of one name."""
        plain = bytearray(_COUNT.pack(len(headers)))
        for name, value in headers.items():
            for text in (name.lower(), value):
                encoded = text.encode()
                plain += _COUNT.pack(len(encoded)) + encoded
        return self._zlib.compress(plain) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class HeaderOpener:
    """The receiving direction."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def open(self, block: bytes | bytearray | memoryview) -> dict[str, str]:
        """The headers of the next block.

        Raises SpdyError for invalid blocks, and for blocks that expand beyond the limit.
        """
        try:
            plain = self._zlib.decompress(block, OPENED_LIMIT_BYTES + 1)
        except zlib.error as failure:
            raise SpdyError(f"a SPDY header block cannot be decompressed: {failure}") from failure
        if len(plain) > OPENED_LIMIT_BYTES or self._zlib.eof:
            raise SpdyError(f"a SPDY header block holds more than {OPENED_LIMIT_BYTES} bytes, or ends the stream")
        return _parse(plain)


def _parse(plain: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    count, offset = _number(plain, 0)
    for _ in range(count):
        name, offset = _text(plain, offset)
        value, offset = _text(plain, offset)
        if not name or name in headers:
            raise SpdyError(f"a SPDY header block has an empty or a repeated name {name!r}")
        headers[name] = value
    if offset != len(plain):
        raise SpdyError(f"a SPDY header block has {len(plain) - offset} bytes after its last header")
    return headers


def _number(plain: bytes, offset: int) -> tuple[int, int]:
    end = offset + _COUNT.size
    if end > len(plain):
        raise SpdyError("a SPDY header block is cut short")
    return int.from_bytes(plain[offset:end]), end


def _text(plain: bytes, offset: int) -> tuple[str, int]:
    length, offset = _number(plain, offset)
    end = offset + length
    if end > len(plain):
        raise SpdyError("a SPDY header block is cut short")
    try:
        return plain[offset:end].decode(), end
    except UnicodeDecodeError as failure:
        raise SpdyError("a SPDY header is not UTF-8") from failure
