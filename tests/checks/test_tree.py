"""Rules of the tree that no linter knows."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
SCRIPTS = (TREE / "tools/setup.sh",)
LONGEST_FUNCTION = 50  # lines, from `def` to the last one


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


def test_no_function_is_too_long() -> None:
    long = [each for path in sorted((TREE / "podwright").rglob("*.py")) for each in _long_functions(path)]
    assert not long, f"split these functions, {LONGEST_FUNCTION} lines are the most: {', '.join(long)}"


def _long_functions(path: Path) -> Iterator[str]:
    place = path.relative_to(TREE).as_posix()
    if "_pb2" in path.name or place.startswith("podwright/k8s/objects/"):
        return  # generated
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{node.name} at {place}:{node.lineno} ({lines} lines)"
