"""Paths from images stay inside their root, whatever links they go through."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.linux import openat2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc" / "passwd").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (inside / "absolute").symlink_to("/etc/passwd")
    (inside / "upwards").symlink_to("../../../etc/passwd")
    (inside / "escape").symlink_to("../secret")
    (inside / "magic").symlink_to("/proc/self/root/etc/passwd")
    (inside / "loop").symlink_to("loop")
    return inside


@pytest.mark.parametrize("name", ["etc/passwd", "/etc/passwd", "absolute", "upwards", "../etc/passwd"])
def test_links_resolve_inside(root: Path, name: str) -> None:
    assert openat2.read_in_root(str(root), name, 100) == b"inside"
    assert openat2.path_in_root(str(root), name) == str(root / "etc" / "passwd")


@pytest.mark.parametrize("name", ["escape", "magic", "absent", "etc/passwd/x"])
def test_what_is_not_inside_is_not_there(root: Path, name: str) -> None:
    assert openat2.read_in_root(str(root), name, 100) is None


def test_loops_are_errors(root: Path) -> None:
    with pytest.raises(OSError, match="loop"):
        openat2.read_in_root(str(root), "loop", 100)


def test_reads_are_bounded(root: Path) -> None:
    assert openat2.read_in_root(str(root), "etc/passwd", 3) == b"ins"


@pytest.mark.root
def test_a_fifo_does_not_block(root: Path) -> None:
    os.mkfifo(root / "fifo")
    assert openat2.read_in_root(str(root), "fifo", 100) == b""
