"""What exit files say, as a table."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from podwright.runtime.handlers.oci import exits


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [("0", 0, "Completed"), ("3\n", 3, "Error"), ("137", 137, "Error"), ("nonsense", 255, "Error")],
    ids=["good", "bad", "killed", "spoiled file"],
)
def test_exit_files(tmp_path: Path, text: str, code: int, reason: str) -> None:
    file = tmp_path / "exit"
    file.write_text(text)
    end = exits.read(str(file))
    assert (end.code, end.reason, end.finished_at) == (code, reason, file.stat().st_mtime_ns)


def test_no_exit_file() -> None:
    before = time.time_ns()
    end = exits.read("/no/such/file")
    assert (end.code, end.reason) == (255, "Unknown")
    assert before <= end.finished_at <= time.time_ns()
