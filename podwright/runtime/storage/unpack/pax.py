"""PAX extended headers (pax(1)): records, and GNU tar's use of them for sparse files. Pure."""

from __future__ import annotations

from podwright.runtime.storage.unpack.failure import UnpackError, shown

XATTR_PREFIX = b"SCHILY.xattr."
NS = 10**9
SPARSE_OFFSET, SPARSE_LENGTH = b"GNU.sparse.offset", b"GNU.sparse.numbytes"
SPARSE_MAP = b"GNU.sparse.map"
XATTR_NAME_LIMIT_BYTES, XATTR_VALUE_LIMIT_BYTES = 255, 1 << 16  # XATTR_NAME_MAX, XATTR_SIZE_MAX
Piece = tuple[int, int]


def records(data: bytes) -> dict[bytes, bytes]:
    r"""`<length> <key>=<value>\n` records. The last record of a key counts. Raises UnpackError.

    Sparse format 0.0 repeats its keys, one pair per piece. They are joined in the key of format 0.1.
    """
    found: dict[bytes, bytes] = {}
    pieces: list[bytes] = []
    position = 0
    while position < len(data) and data[position] != 0:
        space = data.find(b" ", position, position + 20)
        end = position + decimal(data[position:space]) if space > 0 else 0
        record = data[space + 1 : end]
        key, separator, value = record[:-1].partition(b"=")
        if not space < end <= len(data) or not separator or record[-1:] != b"\n" or not key:
            raise UnpackError("bad", "a PAX header of the layer is malformed")
        if key in (SPARSE_OFFSET, SPARSE_LENGTH):
            pieces.append(value)
        else:
            found[key] = value
        position = end
    if pieces:
        found[SPARSE_MAP] = b",".join(pieces)
    return found


def valid(found: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The records without empty ones.

    An empty value deletes the value of a global header (pax(1), "Extended Header"). The header block's own field
    stays, as in Go's library and containerd. An extended attribute may be empty, and tar writes it so.
    """
    return {key: value for key, value in found.items() if value or key.startswith(XATTR_PREFIX)}


def decimal(text: bytes) -> int:
    """A non-negative decimal number. Raises UnpackError."""
    if not text.isdigit() or len(text) > 20:
        raise UnpackError("bad", f"a PAX header has {shown(text)!r} where a number belongs")
    return int(text)


def nanoseconds(text: bytes) -> int:
    """A time in seconds with an optional fraction, possibly negative. Raises UnpackError."""
    whole, _, fraction = text.lstrip(b"-").partition(b".")
    value = decimal(whole or b"0") * NS + decimal((fraction[:9] or b"0").ljust(9, b"0"))
    return -value if text.startswith(b"-") else value


def xattrs(found: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Extended attributes in the records.

    Overlayfs's own are dropped, because they could redirect lookups from inside the image. Raises UnpackError for
    attributes that no filesystem can store.
    """
    named = [(key[len(XATTR_PREFIX) :], value) for key, value in found.items() if key.startswith(XATTR_PREFIX)]
    for name, value in named:
        if not 0 < len(name) <= XATTR_NAME_LIMIT_BYTES or b"\0" in name or len(value) > XATTR_VALUE_LIMIT_BYTES:
            raise UnpackError("bad", f"an extended attribute has an invalid name or value: {shown(name)}")
    return [item for item in named if not item[0].startswith((b"trusted.overlay.", b"user.overlay."))]


def sparse_map(text: bytes) -> list[Piece]:
    """Format 0.1's `offset,length,offset,length...`. Raises UnpackError."""
    numbers = [decimal(word) for word in text.split(b",")] if text else []
    if len(numbers) % 2:
        raise UnpackError("bad", "the map of a sparse file is malformed")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def checked_pieces(pieces: list[Piece], stored_bytes: int, real_bytes: int, name: bytes) -> list[Piece]:
    """The pieces, if they are in order, inside the file and add up to the stored size. Raises UnpackError."""
    end = 0
    for offset, length in pieces:
        if offset < end or length < 0:
            raise UnpackError("bad", f"the map of the sparse file {shown(name)} is out of order")
        end = offset + length
    if end > real_bytes or sum(length for _, length in pieces) != stored_bytes:
        raise UnpackError("bad", f"the map of the sparse file {shown(name)} does not fit its size")
    return pieces
