"""Rules of the tree that no linter knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
SCRIPTS = (TREE / "tools/setup.sh",)


def test_every_folder_of_tests_is_a_package() -> None:
    """Two files of the same name in different folders collide otherwise."""
    folders = {file.parent for file in (TREE / "tests").rglob("test_*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_lock_file_names_no_package_index() -> None:
    assert [line for line in (TREE / "requirements.lock").read_text().splitlines() if "://" in line] == []


def test_every_locked_package_has_a_hash() -> None:
    lines = (TREE / "requirements.lock").read_text().splitlines()
    pins = [number for number, line in enumerate(lines) if "==" in line and not line.startswith((" ", "#"))]
    assert pins
    assert [lines[number] for number in pins if "--hash=sha256:" not in lines[number + 1]] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shell_scripts_parse(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
