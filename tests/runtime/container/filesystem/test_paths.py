"""Where a container keeps its things."""

from __future__ import annotations

import pytest

from podwright.runtime.container.filesystem.paths import log_file


@pytest.mark.parametrize(
    ("directory", "log_path", "path"),
    [("/l", "c/0.log", "/l/c/0.log"), ("/l/", "0.log", "/l/0.log"), ("", "0.log", ""), ("/l", "", "")],
)
def test_log_files(directory: str, log_path: str, path: str) -> None:
    assert log_file(directory, log_path) == path
