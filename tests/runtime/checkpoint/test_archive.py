"""Layers made from an overlay's upper directory, and archives: read back by tarfile, as others will."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from podwright.errors import DeadlineExceeded
from podwright.runtime.checkpoint import archive


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _layer(tmp_path: Path, upper: Path) -> dict[str, tarfile.TarInfo]:
    archive.write_diff(str(tmp_path / "layer.tar"), str(upper), _always)
    with tarfile.open(tmp_path / "layer.tar", "r:") as layer:
        return {member.name: member for member in layer}


@pytest.mark.root
def test_every_kind_of_file(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    (upper / "folder").mkdir(parents=True)
    (upper / "folder" / "file").write_bytes(b"content")
    os.chown(upper / "folder" / "file", 1000, 1001)
    os.chmod(upper / "folder" / "file", 0o4755)
    os.link(upper / "folder" / "file", upper / "linked")
    (upper / "symlink").symlink_to("/etc/shadow")
    os.mkfifo(upper / "fifo")
    os.mknod(upper / "device", 0o020600, os.makedev(1, 3))
    os.mknod(upper / "folder" / "gone", 0o020000, os.makedev(0, 0))
    os.mknod(upper / "away", 0o020000, os.makedev(0, 0))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(upper / "socket"))
    found = _layer(tmp_path, upper)
    assert set(found) == {
        *("folder", "folder/file", "folder/.wh.gone", ".wh.away", "linked", "symlink", "fifo", "device"),
    }
    file = found["folder/file"]
    linked = found["linked"]
    assert {file.islnk(), linked.islnk()} == {True, False}
    assert {(each.uid, each.gid, each.mode) for each in (file, linked)} == {(1000, 1001, 0o4755)}
    assert found["symlink"].linkname == "/etc/shadow"
    assert found["fifo"].isfifo()
    assert (found["device"].ischr(), found["device"].devmajor, found["device"].devminor) == (True, 1, 3)


@pytest.mark.root
def test_attributes_and_opaque_directories(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    (upper / "new").mkdir(parents=True)
    (upper / "new" / "file").touch()
    os.setxattr(upper / "new", "trusted.overlay.opaque", b"y")
    os.setxattr(upper / "new" / "file", "user.note", b"\xff\x00")
    os.setxattr(upper / "new" / "file", "trusted.overlay.origin", b"x")
    found = _layer(tmp_path, upper)
    assert set(found) == {"new", "new/.wh..wh..opq", "new/file"}
    attributes = {key: value for key, value in found["new/file"].pax_headers.items() if key.startswith("SCHILY")}
    assert attributes == {"SCHILY.xattr.user.note": b"\xff\x00".decode("utf-8", "surrogateescape")}
    assert not [key for key in found["new"].pax_headers if "overlay" in key]


def test_files_of_an_archive(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "pages-1.img").write_bytes(b"pages")
    (images / "link.img").symlink_to("/etc/passwd")
    (tmp_path / "log").write_bytes(b"lines")
    location = tmp_path / "out.tar"
    with pytest.raises(OSError, match="link"):
        archive.write(str(location), {}, {}, str(images), _always)
    location.unlink()
    (images / "link.img").unlink()
    files = {"container.log": f"{tmp_path}/log", "stats-dump": f"{tmp_path}/none"}
    archive.write(str(location), {"config.dump": b"{}"}, files, str(images), _always)
    with tarfile.open(location, "r:") as tar:
        assert tar.getnames() == ["config.dump", "checkpoint", "container.log", "checkpoint/pages-1.img"]
        assert {member.mode for member in tar if member.isreg()} == {0o600}
    with pytest.raises(FileExistsError):
        archive.write(str(location), {}, {}, str(images), _always)


def test_an_end_when_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "file").touch()
    with pytest.raises(DeadlineExceeded):
        archive.write_diff(str(tmp_path / "layer.tar"), str(tmp_path / "upper"), _never)
    with pytest.raises(DeadlineExceeded):
        archive.write(str(tmp_path / "out.tar"), {}, {"log": f"{tmp_path}/layer.tar"}, str(tmp_path), _never)
