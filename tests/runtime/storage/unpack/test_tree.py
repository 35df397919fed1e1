"""What archives do that package managers do not: replacing, hiding, escaping, exhausting."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from pathlib import Path

import pytest

from podwright.errors import ResourceExhausted
from podwright.linux import mount
from podwright.runtime.config import ImageSettings
from podwright.runtime.storage.unpacking import BadLayer
from tests.runtime.storage.unpack.trees import described, unpack
from tools.images import Entry, Kind, tar_of

pytestmark = pytest.mark.root


def directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, mode, "dir")


def file(path: str, content: bytes = b"x", mode: int = 0o644) -> Entry:
    return Entry(path, mode, "file", content)


def is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return "trusted.overlay.opaque" in os.listxattr(path, follow_symlinks=False)


async def test_whiteouts(tmp_path: Path) -> None:
    entries = [directory("d"), file("d/.wh.gone", b""), directory("o"), file("o/new"), file("o/.wh..wh..opq", b"")]
    await unpack(tmp_path / "t", tar_of([*entries, file(".wh..wh.plnk", b"")]))
    assert is_whiteout(tmp_path / "t/d/gone")
    assert is_opaque(tmp_path / "t/o")
    assert sorted(described(tmp_path / "t")) == [".", "d", "d/gone", "o", "o/new"]


@pytest.mark.parametrize("order", [1, -1])
async def test_a_whiteout_does_not_hide_entries_of_its_own_layer(order: int, tmp_path: Path) -> None:
    pairs = [
        [file(".wh.f", b""), file("f")],
        [file(".wh.d", b""), directory("d")],
        [file(".wh.l", b""), Entry("l", 0o777, "symlink", "f")],
    ]
    await unpack(tmp_path / "t", tar_of([entry for pair in pairs for entry in pair[::order]]))
    assert (tmp_path / "t/f").read_bytes() == b"x"
    assert (tmp_path / "t/l").is_symlink()
    assert is_opaque(tmp_path / "t/d")  # what was below is gone, and the new directory is not merged with it


async def test_the_last_entry_wins(tmp_path: Path) -> None:
    entries = [
        file("a", b"1"),
        file("a", b"2", 0o600),
        directory("b"),
        directory("b/sub"),
        file("b/sub/f"),
        file("b", b"now a file"),
        file("c"),
        directory("c", 0o700),
        file("c/inside"),
        Entry("l", 0o777, "symlink", "/etc"),
        directory("l"),
        file("l/inside"),
        directory("m"),
        file("m/kept"),
        directory("m", 0o711),
    ]
    report = await unpack(tmp_path / "t", tar_of(entries))
    found = described(tmp_path / "t")
    assert sorted(found) == [".", "a", "b", "c", "c/inside", "l", "l/inside", "m", "m/kept"]
    assert (tmp_path / "t/a").read_bytes() == b"2"
    assert (found["a"]["mode"], found["c"]["mode"], found["m"]["mode"]) == ("0o100600", "0o40700", "0o40711")
    assert report.implicit == ()


async def test_directories_that_are_not_described_are_reported(tmp_path: Path) -> None:
    report = await unpack(tmp_path / "t", tar_of([file("a/b/c"), directory("a"), file("x/.wh.y", b""), file("é/f")]))
    assert [name.encode("latin-1").decode() for name in report.implicit] == ["a/b", "x", "é"]


async def test_links_inside_the_layer_are_followed_inside_it(tmp_path: Path) -> None:
    entries = [directory("run"), directory("var"), Entry("var/run", 0o777, "symlink", "/run"), file("var/run/pid")]
    await unpack(tmp_path / "t", tar_of(entries))
    assert (tmp_path / "t/run/pid").exists()


ESCAPES = {
    "dotdot": [file("../escaped")],
    "dotdot-inside": [file("a/../../escaped")],
    "absolute-link": [Entry("l", 0o777, "symlink", "{outside}"), file("l/escaped")],
    "relative-link": [Entry("l", 0o777, "symlink", "../outside"), file("l/escaped")],
    "link-to-link": [
        Entry("k", 0o777, "symlink", "{outside}"),
        Entry("l", 0o777, "symlink", "k"),
        file("l/escaped"),
    ],
    "hardlink-out": [Entry("h", 0o644, "hardlink", "{outside}/secret")],
    "hardlink-dotdot": [Entry("h", 0o644, "hardlink", "../outside/secret")],
    "hardlink-by-link": [Entry("l", 0o777, "symlink", "{outside}"), Entry("h", 0o644, "hardlink", "l/secret")],
    "hardlink-to-directory": [directory("d"), Entry("h", 0o644, "hardlink", "d")],
    "whiteout-dotdot": [file(".wh...", b"")],
    "whiteout-nothing": [file(".wh.", b"")],
    "whiteout-by-link": [Entry("l", 0o777, "symlink", "{outside}"), file("l/.wh.secret", b"")],
    "below-a-file": [file("f"), file("f/inside")],
    "below-a-whiteout": [Entry("l", 0o777, "symlink", "l"), file("l/f")],
    "empty-link": [Entry("l", 0o777, "symlink", "")],
    "root-is-a-file": [file("./")._replace(kind="symlink", payload="/etc")],
    "over-long": [file("n" * 300)],
    "over-long-path": [file("n/" * 2500)],
}


@pytest.mark.parametrize("entries", ESCAPES.values(), ids=ESCAPES)
async def test_nothing_leaves_the_layer(entries: list[Entry], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("kept")
    before = described(tmp_path / "outside")
    placed = [
        entry._replace(payload=entry.payload.format(outside=outside)) if isinstance(entry.payload, str) else entry
        for entry in entries
    ]
    with pytest.raises(BadLayer):
        await unpack(tmp_path / "t", tar_of(placed))
    assert described(tmp_path / "outside") == before
    assert not list(tmp_path.rglob("escaped"))


async def test_unpacking_through_a_link_stays_inside_even_where_the_host_has_the_target(tmp_path: Path) -> None:
    entries = [directory("etc"), Entry("l", 0o777, "symlink", "/etc"), file("l/podwright-was-here")]
    await unpack(tmp_path / "t", tar_of(entries))
    assert (tmp_path / "t/etc/podwright-was-here").exists()
    assert not Path("/etc/podwright-was-here").exists()


def sparse(real_bytes: int) -> bytes:
    """A GNU tar with one file that is a single hole."""
    info = tarfile.TarInfo("hole")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (0, 0)
    block[483:495] = real_bytes.to_bytes(12, "big") if real_bytes >= 8**11 else b"%011o\0" % real_bytes
    block[483] |= 0x80 if real_bytes >= 8**11 else 0
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"\0" * 1024


async def test_holes_count(tmp_path: Path) -> None:
    with pytest.raises(BadLayer, match="holes included"):
        await unpack(tmp_path / "huge", gzip.compress(sparse(100 * 1024**3)))
    await unpack(tmp_path / "fine", gzip.compress(sparse(1024**3)))
    assert (tmp_path / "fine/hole").stat().st_size == 1024**3
    assert (tmp_path / "fine/hole").stat().st_blocks == 0


LIMITS = ImageSettings(max_unpacked_bytes=1 << 20, max_entries=10)


NO_TAR = b"<html>not found</html>" * 100
NOISE = os.urandom(100_000)
BAD: dict[str, tuple[bytes, str]] = {
    "a bomb": (gzip.compress(bytes(8 << 20)), "more data|unpacks to more"),
    "a large file": (gzip.compress(tar_of([file("f", bytes(8 << 20))])), "unpacks to more than|exceed"),
    "a little too much": (
        gzip.compress(tar_of([file("f", bytes((1 << 20) - 1000)), file("g", bytes(1000))])),
        "more than|exceed",
    ),
    "many entries": (gzip.compress(tar_of([file(str(number)) for number in range(11)])), "more than 10 entries"),
    "a page": (NO_TAR, "not a tar archive"),
    "a compressed page": (gzip.compress(NO_TAR), "not a tar archive"),
    "half of noise": (gzip.compress(NOISE[:4000])[:-20], "truncated|not a tar"),
    "half of a tar": (gzip.compress(tar_of([file("f", bytes(5000))]))[:-12], "truncated"),
    "zeros in a tar": (gzip.compress(tar_of([file("f", NOISE)]))[:50_000] + bytes(1000), "damaged|truncated"),
    "bad gzip": (b"\x1f\x8b\x08" + b"\xff" * 50, "damaged|truncated"),
    "bad zstd": (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "damaged"),
}


@pytest.mark.parametrize(("blob", "message"), BAD.values(), ids=BAD.keys())
async def test_limits_and_damage(blob: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadLayer, match=message):
        await unpack(tmp_path / "t", blob, LIMITS)


async def test_an_empty_blob_is_an_empty_tar(tmp_path: Path) -> None:
    assert (await unpack(tmp_path / "t", b"", LIMITS)).entries == 0


async def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    mount.mount_tmpfs(str(tmp_path / "small"), size_bytes=4 << 20, mode=0o755)
    try:
        with pytest.raises(ResourceExhausted):
            await unpack(tmp_path / "small/many", tar_of([file(f"f{n}", os.urandom(100_000)) for n in range(30)]))
    finally:
        mount.unmount(str(tmp_path / "small"))


async def test_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    deep = "/".join(["d" * 30] * 100)
    entries = [directory("/".join(deep.split("/")[: n + 1])) for n in range(100)]
    entries += [Entry("l", 0o777, "symlink", deep), file(f"l/{deep}/f")]
    report = await unpack(tmp_path / "t", tar_of(entries))
    assert len(report.implicit) == 100


DEVICES = [("block", 8, 0), ("block", 1, 0), ("char", 1, 1), ("char", 1, 2), ("char", 1, 4), ("char", 5, 1)]


@pytest.mark.parametrize(("kind", "major", "minor"), DEVICES)
async def test_device_nodes(kind: Kind, major: int, minor: int, tmp_path: Path) -> None:
    """Old base images carry disks and memory. Whether a container may open them is its cgroup's matter."""
    await unpack(tmp_path / "t", tar_of([directory("dev"), Entry("dev/node", 0o640, kind, (major, minor))]))
    found = (tmp_path / "t/dev/node").stat()
    assert stat.S_IFMT(found.st_mode) == (stat.S_IFBLK if kind == "block" else stat.S_IFCHR)
    assert (stat.S_IMODE(found.st_mode), found.st_rdev) == (0o640, os.makedev(major, minor))
