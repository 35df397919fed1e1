"""A document as a tree of values that remember their text and line. Built by `yaml` and `json`, walked by `strict`.

Aliases make trees share nodes, so that a small text means a huge tree. `size` counts the values of a node as if
nothing were shared: who walks a tree of a bounded size needs no bound of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A string, number, boolean or null. `text` is the source text. `line` counts from 1, 0 is unknown."""

    value: str | int | float | bool | None
    text: str
    line: int = 0


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """A list."""

    items: tuple[Node, ...]
    line: int = 0
    size: int = 1


class MappingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a mapping with its value, and the line of the key."""

    value: Node
    line: int = 0


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping."""

    entries: Mapping[str, MappingEntry]
    line: int = 0
    size: int = 1


Node: TypeAlias = Scalar | Sequence | Fields


def size_of(node: Node) -> int:
    """How many values a walk meets."""
    return 1 if isinstance(node, Scalar) else node.size


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}
