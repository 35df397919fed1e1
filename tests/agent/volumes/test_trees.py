"""Deleting and walking trees that somebody hostile has filled."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from podwright.agent.volumes import trees
from podwright.linux import openat2
from tests.harness.descriptors import opened


def delete(path: Path) -> None:
    with openat2.opened_root(str(path.parent)) as parent:
        trees.delete(parent, path.name)


def walked(path: Path) -> list[str]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [name for _, name in trees.walk(fd)]
    finally:
        os.close(fd)


def make_deep(path: Path, levels: int) -> None:
    here = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        if level % 100 == 0:
            os.close(os.open("file", os.O_CREAT, dir_fd=here))
        os.close(here)
        here = below
    os.close(here)


def test_a_tree_is_deleted_whatever_is_in_it(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for folder in ("a/b/c", "a/d", "e"):
        (top / folder).mkdir(parents=True)
        for index in range(20):
            (top / folder / f"f{index}").write_text("x")
    os.mkfifo(top / "fifo")
    (top / "loop").symlink_to("loop")
    before = opened()
    delete(top)
    assert not top.exists()
    assert not opened() - before


def test_a_file_a_link_and_nothing_are_deleted_as_well(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept").write_text("x")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").write_text("x")
    for name in ("link", "file", "none"):
        delete(tmp_path / name)
    assert (target / "kept").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    top = tmp_path / "top"
    (top / "deep").mkdir(parents=True)
    (top / "deep/link").symlink_to(outside)
    (top / "deep/up").symlink_to("../..")
    assert sorted(walked(top)) == ["deep", "link", "up"]
    delete(top)
    assert (outside / "kept").exists()


def test_a_tree_deeper_than_any_path_is_deleted(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    make_deep(top, 3000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, opened().total() + 20), hard))
    try:
        delete(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not top.exists()


def test_a_walk_shows_children_first_and_closes_what_it_opened(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/f").write_text("x")
    before = opened()
    assert walked(tmp_path) == ["f", "b", "a"]
    assert not opened() - before


def test_a_walk_of_a_tree_that_is_too_deep_says_so(tmp_path: Path) -> None:
    make_deep(tmp_path, trees.DEPTH_MAX + 1)
    before = opened()
    with pytest.raises(OSError, match="more than 256 levels"):
        walked(tmp_path)
    assert not opened() - before
    delete(tmp_path / "d")


@pytest.mark.root
@pytest.mark.parametrize("where", ["", "mnt", "a/mnt"])
def test_what_is_mounted_is_neither_deleted_nor_walked(root: Path, where: str) -> None:
    outside, top = root / "outside", root / "top"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (top / where).mkdir(parents=True)
    subprocess.run(["mount", "--bind", outside, top / where], check=True)
    try:
        with pytest.raises(OSError, match=r"cross-device|busy"):
            delete(top)
        assert (outside / "kept").exists()
        if where:
            assert "kept" not in walked(top)
    finally:
        subprocess.run(["umount", top / where], check=True)
    delete(top)
    assert (outside / "kept").exists()
    assert not top.exists()
