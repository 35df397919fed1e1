"""Every task has a name: a log line or a debugger that shows `Task-17` helps nobody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "podwright"
MAKERS = {"create_task", "ensure_future"}


def test_every_task_has_a_name() -> None:
    assert [place for path in _sources() for place in _unnamed(path.read_text(), path)] == []


def test_the_check_sees_a_task_without_a_name() -> None:
    assert list(_unnamed("group.create_task(run())", Path("x.py"))) == ["x.py:1"]
    assert list(_unnamed("asyncio.create_task(run(), name='run')", Path("x.py"))) == []


def _sources() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def _unnamed(source: str, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MAKERS):
            continue
        if not any(keyword.arg == "name" for keyword in node.keywords):
            yield f"{path}:{node.lineno}"
