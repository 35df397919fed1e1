"""A tar archive as a sequence of entries, each with the stream positioned at its data.

Joins headers with the PAX and GNU entries that extend them. `tree` decides what is written where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from podwright.runtime.storage.unpack import header, pax
from podwright.runtime.storage.unpack.failure import UnpackError, shown
from podwright.runtime.storage.unpack.header import BLOCK, Header

META_LIMIT_BYTES = 1 << 20  # for one PAX header or long name
SPARSE_LIMIT_PIECES = 1 << 20
TRAILER_LIMIT_BYTES = 16 << 20  # for padding after the end of the archive
ID_LIMIT = (1 << 32) - 1  # for chown(2), this number means "unchanged"
TIME_LIMIT_NS = (1 << 63) * pax.NS  # of time_t; filesystems round times that they cannot store
NO_DATA = b"123456"  # types without data, even if they have a size, as some tools write for links
REGULAR = b"0"
KINDS = {b"\0": REGULAR, b"7": REGULAR, b"D": b"5", b"S": REGULAR}


class Bytes:
    """Exact reads from an iterator of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._position = 0

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises UnpackError if the stream ends earlier."""
        end = self._position + size
        if end <= len(self._chunk):
            data = self._chunk[self._position : end]
            self._position = end
            return data
        parts: list[bytes] = []
        self.pass_on(size, parts.append)
        return b"".join(parts)

    def at_end(self) -> bool:
        """Whether the stream has ended."""
        if self._position == len(self._chunk):
            self._chunk = next(self._chunks, b"")
            self._position = 0
        return not self._chunk

    def pass_on(self, size: int, consume: Callable[[bytes], object]) -> None:
        """Pass the next `size` bytes to `consume`, in pieces."""
        while size:
            if self.at_end():
                raise UnpackError("bad", "the archive is truncated")
            piece = self._chunk[self._position : self._position + size]
            self._position += len(piece)
            size -= len(piece)
            consume(piece)

    def drain(self, limit_bytes: int) -> None:
        """Read to the end. Raises UnpackError if that is more than `limit_bytes`."""
        rest = len(self._chunk) - self._position
        for chunk in self._chunks:
            rest += len(chunk)
            if rest > limit_bytes:
                raise UnpackError("bad", "there is more data after the end of the archive")


class ArchiveEntry:
    """One member. A reader of its whole data from `Archive.data` sets `consumed`. Otherwise the data is skipped."""

    __slots__ = (
        "consumed",
        "dataless",
        "gid",
        "kind",
        "linkname",
        "major",
        "minor",
        "mode",
        "mtime_ns",
        "name",
        "pieces",
        "size",
        "stored",
        "uid",
        "xattrs",
    )

    def __init__(self, head: Header) -> None:
        self.name = head.name
        self.kind = KINDS.get(head.kind, head.kind)
        self.mode = head.mode
        self.uid = head.uid
        self.gid = head.gid
        self.size = head.size  # of the file, including holes
        self.dataless = head.kind in NO_DATA
        self.stored = 0 if self.dataless else head.size  # in the archive
        self.consumed = False
        self.mtime_ns = head.mtime * pax.NS
        self.linkname = head.linkname
        self.major = head.major  # raw fields, because only devices have them
        self.minor = head.minor
        self.xattrs: list[tuple[bytes, bytes]] = []
        self.pieces: list[pax.Piece] | None = None  # where the data goes; None: all of it at the start


class Archive:
    """Iterates over the entries of a tar stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.data = Bytes(chunks)
        self._globals: dict[bytes, bytes] = {}

    def __iter__(self) -> Iterator[ArchiveEntry]:
        """Raises UnpackError for a malformed archive."""
        while (block := self._block()) is not None:
            own: dict[bytes, bytes] = {}
            longname = longlink = b""
            while (head := header.parse(block)) is not None and head.kind in b"xgXLK":
                extension = self._extension(head)
                if head.kind == b"L":
                    longname = extension.partition(b"\0")[0]
                elif head.kind == b"K":
                    longlink = extension.partition(b"\0")[0]
                elif head.kind == b"g":
                    self._globals |= pax.records(extension)
                else:
                    own |= pax.records(extension)
                block = self.data.take(BLOCK)
            if head is None:
                break
            entry = ArchiveEntry(head)
            entry.name = longname or entry.name
            entry.linkname = longlink or entry.linkname
            if own or self._globals:
                self._apply(entry, pax.valid(self._globals | own))
            _check_numbers(entry)
            if head.kind == b"S":
                self._read_gnu_map(entry, block)
            if entry.kind == REGULAR and entry.name.endswith(b"/") and entry.pieces is None:
                entry.kind = b"5"  # directories in archives older than ustar
            stored = entry.stored
            yield entry
            if not entry.consumed:
                self.data.pass_on(stored, len)
            self.data.take(-stored % BLOCK)
        self.data.drain(TRAILER_LIMIT_BYTES)

    def _block(self) -> bytes | None:
        """The next header block, or None at the end of the stream. Like tar, it accepts a missing end mark."""
        return None if self.data.at_end() else self.data.take(BLOCK)

    def _extension(self, head: Header) -> bytes:
        if head.size > META_LIMIT_BYTES:
            raise UnpackError("limit", f"an extended header of the layer has {head.size} bytes")
        data = self.data.take(head.size)
        self.data.take(-head.size % BLOCK)
        return data

    def _apply(self, entry: ArchiveEntry, records: dict[bytes, bytes]) -> None:
        for key, value in records.items():
            if key == b"path":
                entry.name = value
            elif key == b"linkpath":
                entry.linkname = value
            elif key == b"mtime":
                entry.mtime_ns = pax.nanoseconds(value)
            elif key == b"size":
                entry.size = pax.decimal(value)
                entry.stored = 0 if entry.dataless else entry.size
            elif key == b"uid":
                entry.uid = pax.decimal(value)
            elif key == b"gid":
                entry.gid = pax.decimal(value)
        entry.xattrs = pax.xattrs(records)
        if any(key.startswith(b"GNU.sparse.") for key in records):
            self._apply_sparse(entry, records)

    def _apply_sparse(self, entry: ArchiveEntry, records: dict[bytes, bytes]) -> None:
        entry.name = records.get(b"GNU.sparse.name", entry.name)
        size = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
        if size is None:
            return
        entry.size = pax.decimal(size)
        if records.get(b"GNU.sparse.major") == b"1":
            pieces = self._read_map(entry)
        else:
            pieces = pax.sparse_map(records.get(pax.SPARSE_MAP, b""))
        entry.pieces = pax.checked_pieces(pieces, entry.stored, entry.size, entry.name)

    def _read_map(self, entry: ArchiveEntry) -> list[pax.Piece]:
        """Format 1.0: decimal lines at the start of the data, padded to a block."""
        lines: list[bytes] = []
        buffer, wanted = b"", 1
        while len(lines) < wanted:
            if entry.stored < BLOCK:
                raise UnpackError("bad", f"the map of the sparse file {shown(entry.name)} is truncated")
            buffer += self.data.take(BLOCK)
            entry.stored -= BLOCK
            *complete, buffer = buffer.split(b"\n")
            lines += complete
            if len(buffer) > BLOCK:
                raise UnpackError("bad", f"the map of the sparse file {shown(entry.name)} is malformed")
            if lines and wanted == 1:
                wanted = 1 + 2 * pax.decimal(lines[0])
                if wanted > 2 * SPARSE_LIMIT_PIECES:
                    raise UnpackError("limit", f"the sparse file {shown(entry.name)} has too many pieces")
        numbers = [pax.decimal(line) for line in lines[1:wanted]]
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def _read_gnu_map(self, entry: ArchiveEntry, block: bytes) -> None:
        pieces, more, entry.size = header.gnu_sparse(block)
        while more:
            extension = self.data.take(BLOCK)
            pieces += header.sparse_pieces(extension[:504])
            more = bool(extension[504])
            if len(pieces) > SPARSE_LIMIT_PIECES:
                raise UnpackError("limit", f"the sparse file {shown(entry.name)} has too many pieces")
        # A file that ends in a hole has an empty last piece at its end.
        entry.pieces = pax.checked_pieces(pieces, entry.stored, entry.size, entry.name)


def _check_numbers(entry: ArchiveEntry) -> None:
    """Check what chown(2) and utimensat(2) accept. Raises UnpackError."""
    if not (0 <= entry.uid < ID_LIMIT and 0 <= entry.gid < ID_LIMIT):
        raise UnpackError("bad", f"{shown(entry.name)} has the owner {entry.uid}:{entry.gid}, which is out of range")
    if not -TIME_LIMIT_NS <= entry.mtime_ns < TIME_LIMIT_NS:
        raise UnpackError(
            "bad", f"{shown(entry.name)} was changed at {entry.mtime_ns // pax.NS} s, which is out of range"
        )
