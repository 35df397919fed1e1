"""The folders of claims."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.agent.run.claims import make_folders
from podwright.errors import FailedPrecondition


def test_folders_are_made_for_any_user_and_kept(tmp_path: Path) -> None:
    root = tmp_path / "claims"
    folder = root / "default" / "data"
    make_folders([str(folder)], str(root))
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o777
    assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
    (folder / "kept").write_text("x")
    folder.chmod(0o750)
    make_folders([str(folder)], str(root))
    assert (folder / "kept").read_text() == "x"
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o750


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(FailedPrecondition, match="x is not a folder"):
        make_folders([str(tmp_path / "x")], str(tmp_path))
    with pytest.raises(FailedPrecondition, match="cannot make the folder"):
        make_folders([str(tmp_path / "x" / "y")], str(tmp_path))
