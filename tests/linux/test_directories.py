"""A directory is there afterwards, whatever was there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.linux.directories import ensure_directory


@pytest.mark.parametrize("depth", [1, 3])
def test_it_is_made_with_its_parents_and_twice_is_fine(tmp_path: Path, depth: int) -> None:
    path = tmp_path.joinpath(*["d"] * depth)
    ensure_directory(str(path), 0o700)
    (path / "file").touch()
    ensure_directory(str(path), 0o755)
    assert os.listdir(path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_parent_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        ensure_directory(str(tmp_path / "file" / "d"), 0o700)
