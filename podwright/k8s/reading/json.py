"""JSON text to trees. Kubernetes reads what begins with `{` as JSON, a stream of objects, before it tries YAML.

JSON has what YAML's grammar lacks: surrogate pairs in escapes. Lines are not known.
"""

from __future__ import annotations

import json
from typing import Any

from podwright.k8s.problems import ManifestError, Problem
from podwright.k8s.reading.tree import Fields, MappingEntry, Node, Scalar, Sequence
from podwright.k8s.reading.yaml import DEPTH_LIMIT, VALUES_LIMIT


def parse_json(text: str) -> list[Node]:
    """The values of a stream. Raises ValueError for what is no JSON, ManifestError for what cannot be used."""
    decoder = json.JSONDecoder(object_pairs_hook=_fields, parse_constant=_constant)
    position, nodes = 0, []
    while (position := _skip_space(text, position)) < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except RecursionError:
            raise _refuse(f"it is nested more than {DEPTH_LIMIT} deep") from None
        nodes.append(_Trees().node(value, DEPTH_LIMIT))
    return nodes


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise _refuse(f"key {name!r} is given twice")
        fields[name] = value
    return fields


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class _Trees:
    """One document's tree, of a bounded size."""

    def __init__(self) -> None:
        self._values = 0

    def node(self, value: Any, depth: int) -> Node:
        self._values += 1
        if depth < 0:
            raise _refuse(f"it is nested more than {DEPTH_LIMIT} deep")
        if self._values > VALUES_LIMIT:
            raise _refuse(f"it holds more than {VALUES_LIMIT} values")
        if isinstance(value, dict):
            return Fields(entries={key: MappingEntry(value=self.node(item, depth - 1)) for key, item in value.items()})
        if isinstance(value, list):
            return Sequence(items=tuple(self.node(item, depth - 1) for item in value))
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
            value = int(value)
        return Scalar(value=value, text=value if isinstance(value, str) else json.dumps(value))


def _refuse(message: str) -> ManifestError:
    return ManifestError([Problem(path="", message=f"not usable JSON: {message}")])
