"""Small files: exactly the mode, never over another, and a failure names the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.linux.files import write_new


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
