from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podwright.runtime.storage.unpack import header, pax
from podwright.runtime.storage.unpack.archive import Archive
from podwright.runtime.storage.unpack.failure import UnpackError
from podwright.runtime.storage.unpack.program import as_json


def entries(data: bytes, chunk: int = 700) -> list[tuple[bytes, bytes, int]]:
    """(name, kind, size) of everything in a tar, read in awkward pieces."""
    chunks = (data[start : start + chunk] for start in range(0, len(data), chunk))
    return [(entry.name, entry.kind, entry.size) for entry in Archive(chunks)]


def tar(*members: tarfile.TarInfo, style: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=style) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def member(name: str, size: int = 0, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


LONG = "d" * 90 + "/" + "f" * 90
LONGER = "/".join(["e" * 100] * 20)


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(style: int) -> None:
    names = [LONG, "short"] + ([LONGER] if style != tarfile.USTAR_FORMAT else [])
    found = entries(tar(*(member(name, 1000) for name in names), style=style))
    assert found == [(name.encode(), b"0", 1000) for name in names]


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_large_numbers_and_long_links(style: int) -> None:
    info = member("l", type=tarfile.SYMTYPE, linkname=LONGER, uid=1 << 30, gid=1 << 30, mtime=-5)
    (entry,) = Archive(iter([tar(info, style=style)]))
    assert (entry.linkname, entry.uid, entry.gid, entry.mtime_ns) == (LONGER.encode(), 1 << 30, 1 << 30, -5 * 10**9)


def test_attributes_by_pax() -> None:
    records = {"mtime": "1.5", "SCHILY.xattr.user.a": "1", "SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    (entry,) = Archive(iter([tar(member("a", pax_headers=records), style=tarfile.PAX_FORMAT)]))
    assert (entry.mtime_ns, entry.xattrs) == (1_500_000_000, [(b"user.a", b"1")])


@pytest.mark.parametrize("cut", [100, 512, 600, 1024])
def test_a_truncated_archive(cut: int) -> None:
    data = tar(member("a", 900), style=tarfile.USTAR_FORMAT)
    with pytest.raises(UnpackError, match="truncated"):
        entries(data[:cut])


def test_a_missing_end_mark_is_forgiven() -> None:
    assert entries(tar(member("a", 512), style=tarfile.USTAR_FORMAT)[:1024]) == [(b"a", b"0", 512)]


def test_data_after_the_end() -> None:
    data = tar(member("a"), style=tarfile.USTAR_FORMAT) + b"\0" * (17 << 20)
    with pytest.raises(UnpackError, match="after the end"):
        entries(data, 1 << 20)


@given(st.binary(max_size=3000))
@example(b"\0" * 1024)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        entries(data)
    except UnpackError:
        return


@given(
    st.integers(0, 511), st.binary(min_size=1, max_size=30), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
)
def test_damaged_headers_are_read_or_refused(position: int, noise: bytes, style: int) -> None:
    data = bytearray(tar(member(LONGER, 700), member("b", 3), style=style))
    data[position : position + len(noise)] = noise
    block = data[:512]
    block[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(block)  # the checksum fits, so that the fields are looked at
    try:
        entries(bytes(data))
    except UnpackError:
        return


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b" 644 \0\0\0", 0o644),
        (b"\0" * 8, 0),
        (b"\x80\0\0\0\0\0\0\1", 1),
        (b"\xff" * 8, -1),
        (b"00000000000\0", 0),
    ],
)
def test_numbers(field: bytes, value: int) -> None:
    assert header.number(field) == value


def test_no_number() -> None:
    with pytest.raises(UnpackError):
        header.number(b"12x4567\0")


@pytest.mark.parametrize(
    "data", [b"x", b"5 a=", b"99 a=b\n", b"6 a=b\nx", b"0 a=b\n", b"6 =ab\n", b"6 a:b\n", b"-6 a=b\n"]
)
def test_malformed_records(data: bytes) -> None:
    with pytest.raises(UnpackError):
        pax.records(data)


def test_records() -> None:
    assert pax.records(b"6 a=b\n7 a=\xff\n\n8 b==\0c\n") == {b"a": b"\xff\n", b"b": b"=\0c"}


@given(st.binary(max_size=60))
def test_any_record(data: bytes) -> None:
    try:
        pax.records(data)
    except UnpackError:
        return


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"1", 10**9), (b"1.000000001", 10**9 + 1), (b"0.1234567899", 123456789), (b"-1.5", -1_500_000_000)],
)
def test_times(text: bytes, value: int) -> None:
    assert pax.nanoseconds(text) == value


@pytest.mark.parametrize(
    ("pieces", "stored", "real"),
    [
        ([(0, 10), (5, 10)], 20, 100),
        ([(0, 10)], 9, 100),
        ([(95, 10)], 10, 100),
        ([(0, -1)], -1, 100),
    ],
)
def test_impossible_sparse_maps(pieces: list[tuple[int, int]], stored: int, real: int) -> None:
    with pytest.raises(UnpackError):
        pax.checked_pieces(pieces, stored, real, b"x")


@given(text=st.text(), names=st.lists(st.text()), number=st.integers())
def test_reports_are_json(text: str, names: list[str], number: int) -> None:
    report: dict[str, int | str | list[str]] = {"message": text, "implicit": names, "inodes": number}
    assert json.loads(as_json(report)) == report
