"""Kept files: read anew each time, bounded in number, let go of; and a real cgroup that goes and comes again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.linux import cgroup
from podwright.linux.kept_files import PIECE_BYTES, KeptFiles, default_limit
from tests.harness.descriptors import opened


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(clock: Clock) -> Iterator[KeptFiles]:
    kept = KeptFiles(limit=2, clock=clock)
    yield kept
    kept.sweep(0)


def test_what_a_file_says_is_read_each_time(tmp_path: Path, files: KeptFiles) -> None:
    path = tmp_path / "usage"
    for content in ("1\n", "22\n", "3\n"):
        path.write_text(content)
        assert files.read(str(path)) == content.encode()
    assert len(files) == 1


def test_a_file_that_is_not_there_is_empty(tmp_path: Path, files: KeptFiles) -> None:
    assert files.read(str(tmp_path / "nothing")) == b""
    assert files.read(str(tmp_path)) == b""
    assert len(files) == 0


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_all_of_a_file_is_read(tmp_path: Path, files: KeptFiles, size: int) -> None:
    (tmp_path / "stat").write_bytes(b"x" * size)
    assert files.read(str(tmp_path / "stat")) == files.read(str(tmp_path / "stat")) == b"x" * size


def test_no_more_are_kept_than_the_limit(tmp_path: Path, files: KeptFiles) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_text(str(number))
    for _ in range(2):
        assert [files.read(str(tmp_path / str(number))) for number in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert len(files) == 2


def test_what_nobody_reads_is_closed(tmp_path: Path, files: KeptFiles, clock: Clock) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
        files.read(str(tmp_path / name))
    clock.now_s += 60
    files.read(str(tmp_path / "new"))
    files.sweep(30)
    assert len(files) == 1
    assert str(tmp_path / "new") in opened()
    files.sweep(0)
    assert len(files) == 0
    assert str(tmp_path / "new") not in opened()


def test_the_limit_leaves_room_for_others() -> None:
    assert 0 < default_limit() <= 8192


@pytest.mark.root
def test_a_cgroup_of_the_same_name_is_another_one(tmp_path: Path, files: KeptFiles) -> None:
    host = cgroup.detect()
    directory = Path(host.directory(f"/pwt-kept-{os.getpid()}", "memory") or "/none")
    path = str(directory / ("memory.usage_in_bytes" if host.layout != "v2" else "memory.current"))
    try:
        for _ in range(2):
            directory.mkdir()
            assert files.read(path).strip() == b"0"
            assert len(files) == 1
            directory.rmdir()
            assert files.read(path) == b""
            assert len(files) == 0
    finally:
        with contextlib.suppress(FileNotFoundError):
            directory.rmdir()
