"""The tree that a guest gets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.vm.tree import compile_argv, lay_out

TIME_S = 1_000_000_000


def written(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_git_ignores_or_does_not_know_any_more_stays_out(tmp_path: Path) -> None:
    tree, place = tmp_path / "tree", tmp_path / "place"
    written(tree / ".gitignore", "build\n")
    written(tree / "build/disk")
    for name in ("a.py", "deep/new.py", "gone.py"):
        os.utime(written(tree / name, name), (TIME_S, TIME_S))
    subprocess.run(("git", "-C", str(tree), "init", "--quiet"), check=True, timeout=60)
    subprocess.run(("git", "-C", str(tree), "add", "gone.py"), check=True, timeout=60)
    (tree / "gone.py").unlink()
    kept = {"__pycache__/a.cpython-311.pyc", "podwright.egg-info/PKG-INFO"}
    for name in (*kept, "old.py", "deep/older.py"):
        written(place / name, "from the last time")

    lay_out(tree, place)
    assert files(place) == {".gitignore", "a.py", "deep/new.py", *kept}
    assert (place / "deep/new.py").read_text() == "deep/new.py"
    assert (place / "a.py").stat().st_mtime == TIME_S


def test_bytecode_is_made_by_the_guests_own_python() -> None:
    assert compile_argv(Path("/image"))[:3] == ("chroot", "/image", "/opt/podwright/bin/python")
