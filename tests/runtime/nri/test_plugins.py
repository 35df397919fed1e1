"""Which files of a folder are plug-ins."""

from __future__ import annotations

from pathlib import Path

from podwright.runtime.nri.plugins import programs


def test_programs_of_a_folder(tmp_path: Path) -> None:
    modes = {"10-b": 0o755, "05-a": 0o700, "1-c": 0o755, "20-d.conf": 0o644, "30-e": 0o775, "40-f": 0o757, "x": 0o755}
    for name, mode in modes.items():
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    (tmp_path / "50-folder").mkdir()
    found = [("05", "a", f"{tmp_path}/05-a"), ("10", "b", f"{tmp_path}/10-b")]
    assert programs(str(tmp_path)) == found
    assert programs(str(tmp_path / "none")) == []
