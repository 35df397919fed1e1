"""The pictures in docs/architecture.md are those that import-linter enforces."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
PICTURE = re.compile(r"^```layers (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

Layers = list[set[str]]


def _contracts() -> dict[str, Layers]:
    settings = tomllib.loads((TREE / "pyproject.toml").read_text())
    found = {}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers":
            assert contract["exhaustive"], contract["name"]
            (container,) = contract["containers"]
            found[container] = [_rooms(line) for line in contract["layers"]]
    return found


def _drawn() -> dict[str, Layers]:
    text = (TREE / "docs/architecture.md").read_text()
    return {name: [_rooms(line) for line in body.splitlines()] for name, body in PICTURE.findall(text)}


def _rooms(line: str) -> set[str]:
    return {room.strip() for room in line.split("|")}


def test_the_drawn_layers_are_the_contracts() -> None:
    assert _contracts()
    assert _drawn() == _contracts()


@pytest.mark.parametrize("package", ["podwright.runtime", "podwright.agent"])
def test_every_room_is_described(package: str) -> None:
    text = (TREE / "docs/architecture.md").read_text()
    described = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in text.splitlines() if line[:1] == "|"))
    )
    rooms = {room for line in _contracts()[package] for room in line}
    assert rooms - described - {"config"} == set()


def test_every_file_that_the_page_names_exists() -> None:
    text = (TREE / "docs/architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", text))
    places = (TREE / "podwright", TREE / "podwright/runtime", TREE / "podwright/agent")
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []
