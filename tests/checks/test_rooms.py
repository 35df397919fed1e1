"""The docstring of a room names its modules, so that a reader knows where to look."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "podwright"
GENERATED = {"v1", "objects"}
WORD = re.compile(r"\w+")
# Rooms whose modules are of one kind, and those whose modules are in the tables of docs/architecture.md.
NAMED_ELSEWHERE = re.compile(r"\bone module for each\b|\bdocs/architecture\.md has its rooms\b")


def _rooms() -> list[Path]:
    rooms = (init.parent for init in sorted(PACKAGE.rglob("__init__.py")))
    return [room for room in rooms if not GENERATED & set(room.relative_to(PACKAGE).parts)]


def _docstring(room: Path) -> str:
    return ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""


def _modules(room: Path) -> set[str]:
    files = {file.stem for file in room.glob("*.py") if "_pb2" not in file.name}
    folders = {folder.parent.name for folder in room.glob("*/__init__.py")}
    return {name for name in files | folders if not name.startswith("_")} - GENERATED


@pytest.mark.parametrize("room", _rooms(), ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_names_its_modules(room: Path) -> None:
    text = _docstring(room)
    named = {word for code in re.findall(r"`([^`]+)`", text) for word in WORD.findall(code)}
    prefixes = tuple(re.findall(r"`(\w+_)\*`", text))
    missing = {name for name in _modules(room) - named if not (prefixes and name.startswith(prefixes))}
    assert NAMED_ELSEWHERE.search(" ".join(text.split())) or missing == set()
