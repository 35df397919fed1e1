"""Small files: exactly the mode, never over another unless it is replaced, and a failure names the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.linux.files import remove_tree, replace_file, write_new


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_mode_and_content(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_new(str(tmp_path / "f"), b"text", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "f").read_bytes() == b"text"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def test_no_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with pytest.raises(FileExistsError):
        write_new(str(tmp_path / "f"), b"new", mode=0o600)
    assert (tmp_path / "f").read_text() == "old"


def test_a_tree_of_any_depth_is_deleted(tmp_path: Path) -> None:
    """Deeper than Python's stack, than a path may be long, and than a process may have descriptors."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (outside / "kept").touch()
    fd = os.open(tree, os.O_RDONLY)
    for number in range(1200):
        os.mkdir("d" * 20, dir_fd=fd)
        os.symlink(str(outside), "link", dir_fd=fd)
        os.mkdir("empty", mode=0, dir_fd=fd)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
        if number % 100 == 0:
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    remove_tree(str(tree))
    assert os.listdir(tmp_path) == ["outside"]
    assert (outside / "kept").exists()


def test_only_a_directory_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "file").touch()
    for name in ("link", "file", "absent"):
        with pytest.raises(OSError, match=name):
            remove_tree(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["file", "link", "there"]


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_replaced_at_once(tmp_path: Path, *, sync: bool) -> None:
    file = tmp_path / "f"
    file.write_text("a longer text that was there before")
    (tmp_path / ".f.new").write_text("left by a process that was killed")
    with open(file, "rb") as reader:
        replace_file(str(file), b"new", mode=0o640, sync=sync)
        assert reader.read() == b"a longer text that was there before"
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["f"]


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inner").touch()
    with pytest.raises(IsADirectoryError) as caught:
        replace_file(str(tmp_path / "folder"), b"new", mode=0o600)
    assert caught.value.filename == str(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]
