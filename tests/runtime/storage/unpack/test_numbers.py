"""Numbers and texts at the edges of what headers can say: unpacked or refused, never a fault of the program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.runtime.storage.unpacking import BadLayer
from tests.runtime.storage.unpack.trees import unpack

pytestmark = pytest.mark.root

# tar(5): offset and length of each field.
FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "kind": (156, 1),
    "linkname": (157, 100),
    "major": (329, 8),
    "minor": (337, 8),
    "real_size": (483, 12),
}
END = bytes(1024)


def member(data: bytes = b"", records: dict[bytes, bytes] | None = None, **fields: bytes) -> bytes:
    """A member by its raw fields, behind a PAX header if there are `records`."""
    block = bytearray(512)
    block[257:265] = b"ustar\x0000"
    usual = {"name": b"f", "mode": octal(0o644), "size": octal(len(data), 12), "kind": b"0"}
    for name, value in (usual | fields).items():
        start, length = FIELDS[name]
        block[start : start + length] = value[:length].ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    before = b""
    if records is not None:
        text = b"".join(record(key, value) for key, value in records.items())
        before = member(text, name=b"x", kind=b"x")
    return before + bytes(block) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return b"%d" % length + rest


def octal(number: int, length: int = 8) -> bytes:
    return b"%0*o" % (length - 1, number)


def base256(number: int, length: int) -> bytes:
    return bytes([0x80 if number >= 0 else 0xFF]) + (number % (1 << (8 * length - 8))).to_bytes(length - 1, "big")


REFUSED = {
    "mtime-by-pax": member(records={b"mtime": b"%d" % (10**20 - 1)}),
    "mtime-before-time": member(records={b"mtime": b"-%d" % (10**20 - 1)}),
    "mtime": member(mtime=base256(1 << 80, 12)),
    "uid": member(uid=base256(1 << 40, 8)),
    "uid-by-pax": member(records={b"uid": b"%d" % (1 << 40)}),
    "negative-uid": member(uid=base256(-1, 8)),
    "signed-gid": member(gid=b"-000001"),
    "gid-that-means-none": member(gid=base256((1 << 32) - 1, 8)),
    "major": member(kind=b"3", major=base256(1 << 31, 8)),
    "minor": member(kind=b"4", minor=base256(-1, 8)),
    "size": member(size=base256(1 << 70, 12)),
    "xattr-with-a-nul": member(records={b"SCHILY.xattr.user.a\0b": b"1"}),
    "xattr-without-a-name": member(records={b"SCHILY.xattr.": b"1"}),
    "long-xattr": member(records={b"SCHILY.xattr.user." + b"n" * 300: b"1"}),
    "large-xattr": member(records={b"SCHILY.xattr.user.a": bytes(70_000)}),
    "long-link": member(kind=b"2", records={b"linkpath": b"l" * 5000}),
    "sparse-map": member(bytes(4096), records={b"GNU.sparse.major": b"1", b"GNU.sparse.realsize": b"1"}),
}


@pytest.mark.parametrize("archive", REFUSED.values(), ids=REFUSED)
async def test_what_no_system_can_have(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadLayer) as failure:
        await unpack(tmp_path / "t", archive + END)
    assert len(str(failure.value)) < 300


async def test_the_largest_that_there_can_be(tmp_path: Path) -> None:
    largest = (1 << 32) - 2
    archive = member(uid=base256(largest, 8), records={b"gid": b"%d" % largest, b"mtime": b"%d.5" % ((1 << 31) - 1)})
    await unpack(tmp_path / "t", archive + member(name=b"d", kind=b"4", major=octal(4095), minor=octal(0xFFFFF)) + END)
    found = (tmp_path / "t/f").stat()
    assert (found.st_uid, found.st_gid, found.st_mtime_ns) == (largest, largest, ((1 << 31) - 1) * 10**9 + 5 * 10**8)
    assert (tmp_path / "t/d").stat().st_rdev == os.makedev(4095, 0xFFFFF)


async def test_empty_values_delete_what_a_global_header_said(tmp_path: Path) -> None:
    general = member(record(b"uid", b"7") + record(b"gid", b"8") + record(b"mtime", b"9"), name=b"g", kind=b"g")
    first = member(name=b"first", uid=octal(5))
    empty = {b"uid": b"", b"path": b"", b"size": b"", b"linkpath": b"", b"SCHILY.xattr.user.empty": b""}
    second = member(b"data", name=b"second", uid=octal(5), records=empty)
    cleared = member(record(b"gid", b""), name=b"g", kind=b"g")
    third = member(name=b"third", gid=octal(6))
    await unpack(tmp_path / "t", general + first + second + cleared + third + END)
    found = {path.name: path.stat() for path in (tmp_path / "t").iterdir()}
    assert {name: (one.st_uid, one.st_gid, int(one.st_mtime)) for name, one in found.items()} == {
        "first": (7, 8, 9),
        "second": (5, 8, 9),
        "third": (7, 6, 9),
    }
    assert (tmp_path / "t/second").read_bytes() == b"data"
    with contextlib.suppress(OSError):  # where the filesystem has none
        assert os.getxattr(tmp_path / "t/second", "user.empty") == b""


@pytest.mark.parametrize("kind", [b"1", b"2", b"5", b"3"])
async def test_sizes_of_what_has_no_data(kind: bytes, tmp_path: Path) -> None:
    """Some archivers write that of the file, by either header."""
    linked = member(b"x", name=b"target")
    sized = member(name=b"n", kind=kind, linkname=b"target", size=octal(700, 12), records={b"size": b"1400"})
    await unpack(tmp_path / "t", linked + sized + member(b"y", name=b"after") + END)
    assert (tmp_path / "t/after").read_bytes() == b"y"


EDGES = [0, 1, 5, 511, 4095, 4096, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 62, 1 << 63, 1 << 64, 10**20 - 1]
NUMBERS = st.sampled_from([*EDGES, *(edge - 1 for edge in EDGES), *(-edge for edge in EDGES)])
ODD = st.sampled_from(
    [b"", b"-1", b"0x10", b"0o7", b"1_0", b" 7 ", b"9", b"\x80", b"\xff", b"\0", b"." * 12, b"1" * 40]
)


def number(length: int) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.integers(0, 8**7 - 1).map(lambda value: octal(value, length)),
        NUMBERS.map(lambda value: base256(value, length)),
        ODD,
        st.binary(max_size=length),
    )


NAMES = st.sampled_from(
    [b"a", b"a/b", b"d", b"d/e", b"./", b"a/.wh.b", b".wh.d", b"d/.wh..wh..opq", b"l/x", b"n" * 255]
)
TEXTS = st.one_of(
    NAMES,
    ODD,
    NUMBERS.map(lambda value: b"%d" % value),
    st.binary(max_size=20),
    st.just(b"n/" * 2500),
    st.just(b"n" * 4096),
)
RECORDS = st.dictionaries(
    st.sampled_from(
        [
            *(b"path", b"linkpath", b"mtime", b"size", b"uid", b"gid", b"comment"),
            *(b"SCHILY.xattr.user.a", b"SCHILY.xattr.security.capability", b"SCHILY.xattr.trusted.overlay.opaque"),
            *(b"SCHILY.xattr.", b"SCHILY.xattr.user.\0", b"SCHILY.xattr.system.posix_acl_access"),
            *(b"GNU.sparse.major", b"GNU.sparse.realsize", b"GNU.sparse.size", b"GNU.sparse.map", b"GNU.sparse.name"),
            *(b"GNU.sparse.offset", b"GNU.sparse.numbytes"),
        ]
    ),
    st.one_of(TEXTS, st.just(b"%d.%d" % (10**9, 10**30)), st.just(b"0,1,5,1")),
    max_size=4,
)
USUAL = {"mode": st.just(octal(0o755))}
MEMBERS = st.builds(
    member,
    st.binary(max_size=20),
    st.none() | RECORDS,
    name=NAMES | st.binary(max_size=100),
    kind=st.sampled_from([*(bytes([digit]) for digit in b"01234567"), b"S", b"L", b"K", b"g", b"x", b"D", b"\0"]),
    linkname=NAMES | st.binary(max_size=100),
    **{name: number(FIELDS[name][1]) for name in ("uid", "gid", "mtime", "major", "minor", "mode", "real_size")},
)
PLAIN = st.builds(
    member,
    st.binary(max_size=20),
    st.none() | RECORDS,
    name=NAMES,
    kind=st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6"]),
    linkname=NAMES,
)


@settings(max_examples=60)
@given(st.lists(st.one_of(PLAIN, PLAIN, MEMBERS), min_size=1, max_size=6))
def test_whatever_headers_say(members: list[bytes]) -> None:
    """Either a tree, or a layer that is refused: whatever else the program ends with is raised as another error."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BadLayer):
        asyncio.run(unpack(Path(folder) / "t", b"".join(members) + END))
