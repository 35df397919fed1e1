"""Decodes a compressed layer to its tar: gzip, zstd or none, detected by magic number, and hashed in the process.

Media types in manifests are often wrong about the compression, so only the bytes count. Decompression and hashing run
in a thread of their own (both release the interpreter's lock), a few buffers ahead of the unpacking.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator

from isal import igzip_lib

from podwright.runtime.storage.unpack.failure import UnpackError
from podwright.runtime.storage.unpack.source import GrowingFile

TYPE_CHECKING = False  # importing typing takes longer than unpacking a small layer
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Readable(Protocol):
        """A decoder: `read` returns at most `size` bytes, and none at the end."""

        def read(self, size: int = ...) -> bytes: ...


CHUNK_BYTES = 1 << 20
AHEAD_CHUNKS = 4
INLINE_BYTES = 1 << 18  # below this size a thread costs more than it gains
RATIO_LIMIT = 200  # beyond RATIO_FREE_BYTES, no genuine layer unpacks to more than this multiple of its size
RATIO_FREE_BYTES = 1 << 30
GZIP_MAGIC = b"\x1f\x8b\x08"
DAMAGED: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # the stub takes the class for an instance
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class GzipReader:
    """Gzip with any number of members. CRCs are checked and trailing zeros ignored."""

    def __init__(self, source: GrowingFile) -> None:
        self._source = source
        self._member: Any = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """As `Readable.read`. Raises UnpackError."""
        while True:
            data = b""
            if self._member.eof and not self._next_member():
                return b""
            if self._member.needs_input:
                data = self._source.read()
                if not data:
                    raise UnpackError("bad", "the gzip stream is truncated")
            try:
                plain: bytes = self._member.decompress(data, size)
            except DAMAGED as failure:
                raise UnpackError("bad", f"the gzip stream is damaged: {failure}") from failure
            if plain:
                return plain

    def _next_member(self) -> bool:
        rest = self._member.unused_data
        while not (rest := rest.lstrip(b"\0")):
            rest = self._source.read()
            if not rest:
                return False
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._pushed(rest)
        return True

    def _pushed(self, rest: bytes) -> None:
        self._source = _Prefixed(rest, self._source)  # type: ignore[assignment] # reads like a Source


class _Prefixed:
    def __init__(self, head: bytes, tail: GrowingFile) -> None:
        self._head = head
        self._tail = tail

    def read(self) -> bytes:
        head, self._head = self._head, b""
        return head or self._tail.read()


def opened(source: GrowingFile) -> Readable:
    """A decoder, chosen by the blob's first bytes. Imports zstandard if necessary, so call it before the chroot."""
    magic = source.peek(4)
    if magic.startswith(GZIP_MAGIC):
        return GzipReader(source)
    if magic == ZSTD_MAGIC or (magic[1:] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50):
        return _ZstdReader(source)
    return source


class _ZstdReader:
    """Zstandard, any number of frames."""

    def __init__(self, source: GrowingFile) -> None:
        import zstandard  # noqa: PLC0415 # costs 10 ms, and few layers are zstd

        self._error = zstandard.ZstdError
        self._reader = zstandard.ZstdDecompressor().stream_reader(_Whole(source), read_across_frames=True)  # type: ignore[arg-type] # it only reads

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        try:
            return self._reader.read(size)
        except self._error as failure:
            raise UnpackError("bad", f"the zstd stream is damaged: {failure}") from failure


class _Whole:
    def __init__(self, source: GrowingFile) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.read(size)


class Plain:
    """The tar's bytes as an iterator of chunks. After its end, `digest` and `size_bytes` describe all of it."""

    def __init__(self, reader: Readable, compressed_bytes: int, max_bytes: int) -> None:
        self._reader = reader
        self._hash = hashlib.sha256()
        self._limit = min(max_bytes, max(RATIO_FREE_BYTES, compressed_bytes * RATIO_LIMIT))
        self._threaded = compressed_bytes > INLINE_BYTES
        self.size_bytes = 0

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the data read so far."""
        return "sha256:" + self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        return self._ahead() if self._threaded else self._chunks()

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._reader.read():
            self.size_bytes += len(chunk)
            if self.size_bytes > self._limit:
                raise UnpackError("limit", f"the layer unpacks to more than {self._limit} bytes")
            self._hash.update(chunk)
            yield chunk

    def _ahead(self) -> Iterator[bytes]:
        chunks: queue.Queue[bytes | BaseException] = queue.Queue(AHEAD_CHUNKS)

        def work() -> None:
            try:
                for chunk in self._chunks():
                    chunks.put(chunk)
                chunks.put(b"")
            except BaseException as failure:  # noqa: BLE001 # raised where the chunks are read
                chunks.put(failure)

        threading.Thread(target=work, name="decode", daemon=True).start()
        while item := chunks.get():
            if isinstance(item, BaseException):
                raise item
            yield item
