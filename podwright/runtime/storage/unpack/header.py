"""One 512-byte tar header: ustar, GNU and old formats (tar(5)). Pure."""

from __future__ import annotations

import struct

from podwright.runtime.storage.unpack.failure import UnpackError

BLOCK = 512
# name mode uid gid size mtime checksum type linkname magic+version uname gname devmajor devminor prefix
_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x")
_GNU_SPARSE = struct.Struct("386x96sB12s17x")
_BLANK_CHECKSUM = sum(b" " * 8)
GNU_MAGIC = b"ustar  \0"


class Header:
    """The fields as written. `name` includes ustar's prefix. `mtime` is in seconds."""

    __slots__ = ("gid", "kind", "linkname", "major", "minor", "mode", "mtime", "name", "size", "uid")

    def __init__(  # noqa: PLR0913 # as many as the format has fields
        self,
        name: bytes,
        *,
        mode: int,
        uid: int,
        gid: int,
        size: int,
        mtime: int,
        kind: bytes,
        linkname: bytes,
        device: tuple[bytes, bytes],
    ) -> None:
        self.name = name
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime = mtime
        self.kind = kind
        self.linkname = linkname
        self.major, self.minor = device


def number(field: bytes) -> int:
    """An octal field, or GNU's base-256 (first bit set, two's complement). Raises UnpackError."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.partition(b"\0")[0].strip()
    if not text:
        return 0
    try:
        if text.isdigit():  # int() also accepts signs, prefixes and underscores
            return int(text, 8)
    except ValueError:
        pass
    raise UnpackError("bad", f"a tar header has {field!r} where a number belongs")


def parse(block: bytes) -> Header | None:
    """The header in `block`, or None for a block of zeros. Raises UnpackError."""
    name, mode, uid, gid, size, mtime, checksum, kind, linkname, magic, major, minor, prefix = _FIELDS.unpack(block)
    if not name[0] and block.count(0) == BLOCK:
        return None
    if not _sum_fits(block, checksum):
        raise UnpackError("bad", "this is not a tar archive, or a header in it is damaged")
    name = name.partition(b"\0")[0]
    if prefix[0] and magic != GNU_MAGIC and magic[:5] == b"ustar":
        name = prefix.partition(b"\0")[0] + b"/" + name
    size_bytes = number(size)
    if size_bytes < 0:
        raise UnpackError("bad", "a tar header has a negative size")
    return Header(
        name,
        mode=number(mode) & 0o7777,
        uid=number(uid),
        gid=number(gid),
        size=size_bytes,
        mtime=number(mtime),
        kind=kind,
        linkname=linkname.partition(b"\0")[0],
        device=(major, minor),
    )


def _sum_fits(block: bytes, checksum: bytes) -> bool:
    """Compare the sum of all bytes, with blanks for the checksum's own. Some very old tars summed signed bytes."""
    text = checksum.partition(b"\0")[0].strip()
    unsigned = sum(block) - sum(checksum) + _BLANK_CHECKSUM
    if b"%o" % unsigned == text.lstrip(b"0"):
        return True
    signed = unsigned - 256 * sum(byte > 127 for byte in block[:148] + block[156:])
    return b"%o" % signed == text.lstrip(b"0")


def gnu_sparse(block: bytes) -> tuple[list[tuple[int, int]], bool, int]:
    """Old GNU sparse header (type S): first pieces as (offset, length), whether more blocks follow, real size."""
    pieces, extended, real_size = _GNU_SPARSE.unpack(block)
    return sparse_pieces(pieces), bool(extended), number(real_size)


def sparse_pieces(table: bytes) -> list[tuple[int, int]]:
    """Pairs of 12-byte numbers up to the first empty one."""
    pieces = []
    for start in range(0, len(table) - 23, 24):
        if not table[start + 12]:
            break
        pieces.append((number(table[start : start + 12]), number(table[start + 12 : start + 24])))
    return pieces
