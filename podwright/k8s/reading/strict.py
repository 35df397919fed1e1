"""A document to a typed object, for people: every fault with its path and line, unknown fields among them.

One walk finds all faults, and makes the document that msgspec takes. What Go's reader takes (nulls, missing fields,
base64 with line breaks, numbers as quantities) is taken here as well. Whether a value is allowed is the work of
`validation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.codec import convert
from podwright.k8s.mending import decode_base64, zero
from podwright.k8s.objects.base import ApiObject, MicroTime
from podwright.k8s.problems import ManifestError, Problem
from podwright.k8s.quantity import parse
from podwright.k8s.reading.documents import Document
from podwright.k8s.reading.tree import Fields, MappingEntry, Node, Scalar, Sequence, plain
from podwright.k8s.shapes import LeafShape, ListShape, MapShape, Shape, StructShape, fields_of
from podwright.k8s.times import parse_time
from podwright.spelling import nearest

T = TypeVar("T", bound=ApiObject)

# Nobody reads more, and looking for the nearest name takes half a millisecond for each.
PROBLEMS_LIMIT = 100
_NAMES: dict[object, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    int | str: "a number or string",
}


def read_object(document: Document, cls: type[T], *, prefix: str = "") -> T:
    """The object. Raises ManifestError with all problems, up to PROBLEMS_LIMIT. `prefix` precedes each path."""
    walk = _Walk(prefix=prefix)
    raw = walk.value(document.root, StructShape(cls=cls), "")
    if walk.problems:
        raise ManifestError(walk.problems)
    try:
        return convert(raw, cls)
    except InvalidArgument as failure:
        raise ManifestError([Problem(path=prefix, message=str(failure))]) from failure


class _Walk(msgspec.Struct):
    """What a walk has found."""

    prefix: str = ""
    problems: list[Problem] = msgspec.field(default_factory=list)

    def value(self, node: Node, shape: Shape, path: str) -> Any:
        if isinstance(node, Scalar) and node.value is None:
            return zero(shape)
        if isinstance(shape, StructShape):
            return self._struct(node, shape, path)
        if isinstance(shape, ListShape):
            return self._list(node, shape, path)
        if isinstance(shape, MapShape):
            return self._map(node, shape, path)
        return self._leaf(node, shape, path)

    def _struct(self, node: Node, shape: StructShape, path: str) -> Any:
        if not isinstance(node, Fields):
            return self._fault(node, path, f"expected a mapping of fields, got {_kind(node)}")
        known = fields_of(shape.cls)
        document = zero(shape)
        for key, entry in node.entries.items():
            here = f"{path}.{key}" if path else key
            if key not in known:
                self._unknown(entry, here, key, known)
            elif not _is_null(entry):
                document[key] = self.value(entry.value, known[key].shape, here)
        return document

    def _unknown(self, entry: MappingEntry, path: str, key: str, known: Iterable[str]) -> None:
        near = nearest(key, known)
        hint = f"did you mean {near}?" if near else ""
        self._note(Problem(path=self._full(path), message="no such field", hint=hint, line=entry.line))

    def _list(self, node: Node, shape: ListShape, path: str) -> Any:
        if not isinstance(node, Sequence):
            return self._fault(node, path, f"expected a list, got {_kind(node)}")
        return [self.value(item, shape.item, f"{path}[{index}]") for index, item in enumerate(node.items)]

    def _map(self, node: Node, shape: MapShape, path: str) -> Any:
        if not isinstance(node, Fields):
            return self._fault(node, path, f"expected a mapping, got {_kind(node)}")
        return {key: self.value(entry.value, shape.item, f"{path}[{key}]") for key, entry in node.entries.items()}

    def _leaf(self, node: Node, shape: LeafShape, path: str) -> Any:
        if shape.type is Any:
            return plain(node)
        if not isinstance(node, Scalar):
            return self._fault(node, path, f"expected {_wanted(shape)}, got {_kind(node)}")
        try:
            return _leaf_value(node.value, shape)
        except (ValueError, InvalidArgument) as failure:
            return self._fault(node, path, str(failure) or f"expected {_wanted(shape)}, got {_kind(node)}", shape)

    def _fault(self, node: Node, path: str, message: str, shape: LeafShape | None = None) -> None:
        hint = ""
        if isinstance(node, Scalar) and not isinstance(node.value, str) and shape and shape.type is str:
            hint = "" if shape.quantity else f'quote it: "{node.text}"'
        self._note(Problem(path=self._full(path), message=message, hint=hint, line=node.line))

    def _note(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= PROBLEMS_LIMIT:
            raise ManifestError(self.problems)

    def _full(self, path: str) -> str:
        return f"{self.prefix}: {path}" if self.prefix and path else self.prefix or path


def _is_null(entry: MappingEntry) -> bool:
    return isinstance(entry.value, Scalar) and entry.value.value is None


def _leaf_value(value: Any, shape: LeafShape) -> Any:
    """The value for msgspec. Raises ValueError or InvalidArgument. Without a message, the type is wrong."""
    if shape.quantity and not isinstance(value, bool):
        parse(value)
        return str(value)
    if shape.type is bytes and isinstance(value, str):
        return _bytes(value)
    if shape.type is datetime and isinstance(value, str):
        return parse_time(value)
    if shape.type is MicroTime and isinstance(value, str):
        return MicroTime.fromtimestamp(parse_time(value).timestamp(), tz=parse_time(value).tzinfo)
    if isinstance(value, bool) and shape.type is not bool:
        raise ValueError("")
    try:
        return msgspec.convert(value, shape.type)
    except msgspec.ValidationError as failure:
        raise ValueError("") from failure


def _bytes(value: str) -> bytes:
    try:
        return decode_base64(value)
    except ValueError as failure:
        # The value is not shown: it may be a secret.
        raise ValueError("is not base64") from failure


def _wanted(shape: LeafShape) -> str:
    if shape.quantity:
        return "a quantity"
    return _NAMES.get(shape.type, "a string")


def _kind(node: Node) -> str:
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    kinds = {str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(node.value), "nothing")
