"""The same archive unpacked by GNU tar and by us gives the same tree."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from pathlib import Path

import pytest
import zstandard

from tests.runtime.storage.unpack.trees import described, unpack

pytestmark = pytest.mark.root

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep
LONG = "long-" * 30


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with everything that Debian's packages have, and more."""
    root = tmp_path_factory.mktemp("source") / "tree"
    for folder in ("bin", "etc/alternatives", "var/local", "tmp", "dev", f"{LONG}/{LONG}", "etc/ünï/\n"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    os.chown(root / "var/local", 0, 50)
    (root / "var/local").chmod(0o2775)
    for name, mode, owner in (
        ("su", 0o4755, (0, 0)),
        ("wall", 0o2755, (0, 5)),
        ("mail", 0o4750, (8, 12)),
        ("ro", 0o400, (0, 0)),
    ):
        path = root / "bin" / name
        path.write_bytes(name.encode() * 1000)
        os.chown(path, *owner)
        path.chmod(mode)
    (root / "var/local/inside").write_text("not of the directory's group")
    os.chown(root / "var/local/inside", 0, 0)
    os.setxattr(root / "bin/ro", "security.capability", CAPABILITY)
    os.setxattr(root / "bin/ro", "user.note", b"binary \0 = \n")
    os.setxattr(root / "var/local", "user.folder", b"x")
    (root / "empty").touch()
    (root / f"{LONG}/{LONG}/{LONG}").write_bytes(os.urandom(3 << 20))
    (root / "etc/alternatives/awk").symlink_to("/usr/bin/mawk")
    (root / "etc/link").symlink_to("x" * 200)
    os.lchown(root / "etc/link", 7, 7)
    (root / "a-hard-link").hardlink_to(root / "bin/su")
    (root / "etc/zz").hardlink_to(
        root / "etc/alternatives/awk",
    )
    (root / f"{LONG}-hard").hardlink_to(root / f"{LONG}/{LONG}/{LONG}")
    os.mkfifo(root / "fifo", 0o622)
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "dev/loop0", stat.S_IFBLK | 0o660, os.makedev(7, 0))
    for name, pieces, size in (("many", 40, 40 << 20), ("tail-hole", 1, 9 << 20), ("all-hole", 0, 5 << 20)):
        with (root / f"sparse-{name}").open("wb") as file:
            for number in range(pieces):
                file.seek(number << 20)
                file.write(b"data %d" % number * 500)
            file.truncate(size)
    for number, path in enumerate(sorted(root.rglob("*"))):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number), follow_symlinks=False)
    return root


def run_tar(*arguments: str | Path) -> bytes:
    return subprocess.run(["tar", *arguments], check=True, capture_output=True).stdout


FORMATS = {
    "pax": ["--format=posix"],
    "pax-sparse-1.0": ["--format=posix", "--sparse"],
    "pax-sparse-0.1": ["--format=posix", "--sparse", "--sparse-version=0.1"],
    "pax-sparse-0.0": ["--format=posix", "--sparse", "--sparse-version=0.0"],
    "gnu": ["--format=gnu"],
    "gnu-sparse": ["--format=gnu", "--sparse"],
    "oldgnu-sparse": ["--format=oldgnu", "--sparse"],
}


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
async def test_the_same_tree(options: list[str], source: Path, tmp_path: Path) -> None:
    xattrs = ["--xattrs", "--xattrs-include=*"] if "--format=posix" in options else []
    archive = tmp_path / "layer.tar"
    run_tar(*options, *xattrs, "-cf", archive, "-C", source, ".")
    (tmp_path / "theirs").mkdir()
    run_tar("-xpf", archive, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", tmp_path / "theirs")
    report = await unpack(tmp_path / "ours", gzip.compress(archive.read_bytes(), 1))
    ours, theirs = described(tmp_path / "ours"), described(tmp_path / "theirs")
    assert ours == theirs
    assert report.implicit == ()
    assert report.lost_xattrs == 0
    assert report.entries == len(ours)
    if "pax" in str(options):
        assert ours == described(source)


@pytest.mark.parametrize("compressed", ["none", "zstd", "gzip-members", "gzip-padded"])
async def test_compressions(compressed: str, source: Path, tmp_path: Path) -> None:
    tar = run_tar("-cf", "-", "-C", source, "bin", LONG)
    half = len(tar) // 2
    blob = {
        "none": tar,
        "zstd": zstandard.compress(tar[:half]) + zstandard.compress(tar[half:]),
        "gzip-members": gzip.compress(tar[:half]) + gzip.compress(b"") + gzip.compress(tar[half:]),
        "gzip-padded": gzip.compress(tar) + b"\0" * 1000,
    }[compressed]
    report = await unpack(tmp_path / "ours", blob)
    assert report.plain_bytes == len(tar)
    assert {name for name in described(tmp_path / "ours") if name.startswith("bin/")} == {
        "bin/su",
        "bin/wall",
        "bin/mail",
        "bin/ro",
    }
