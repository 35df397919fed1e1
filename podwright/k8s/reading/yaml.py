"""YAML text to trees, as Kubernetes' own reader does.

libyaml parses, and everything else is done here. go-yaml v2, which Kubernetes uses, is a port of libyaml to Go, so
both have the same grammar. No Python library has go-yaml's scalars, merges and anchors: PyYAML is YAML 1.1,
ruamel.yaml and the wrappers of Rust's parsers are YAML 1.2. Only PyYAML's binding is used, which gives libyaml's
events with their lines, but not its resolvers, constructors and composer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from podwright.k8s.problems import ManifestError, Problem
from podwright.k8s.reading.scalars import key_text, resolve
from podwright.k8s.reading.tree import Fields, MappingEntry, Node, Scalar, Sequence, size_of

DEPTH_LIMIT = 100  # no Kubernetes object comes near it
# Of one document, aliases counted as often as they are used; no object comes near it.
VALUES_LIMIT = 200_000
TEXT_LIMIT = 5 * VALUES_LIMIT  # of all documents together, aliases counted once
# A merge (`<<`) copies keys, so that merges of merges can grow without limit.
MERGED_LIMIT = 100_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Iterator[Node]:
    """The root of each document. An empty document is a null. Raises ManifestError."""
    try:
        yield from _Composer(yaml.parse(text, Loader=_LOADER)).documents()
    except yaml.YAMLError as failure:
        raise ManifestError([_problem(failure)]) from failure


class _Composer:
    """Events to trees. An alias is the anchor's own node, so that aliases of aliases cost nothing here."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._depth = 0
        self._merged = 0
        self._in_document = 0
        self._in_text = 0

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                self._in_document = 0
                yield self._node(next(self._events))

    def _node(self, event: Any) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(event)
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise _refuse(event, f"it is nested more than {DEPTH_LIMIT} deep")
        if isinstance(event, yaml.ScalarEvent):
            node: Node = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._items())
            node = Sequence(items=items, line=_line(event), size=1 + sum(size_of(item) for item in items))
        else:
            node = self._mapping(event)
        self._depth -= 1
        if size_of(node) > VALUES_LIMIT:
            raise _refuse(event, f"it holds more than {VALUES_LIMIT} values")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: Any) -> None:
        """Refuse a text while it is taken apart: one of 10 MiB can hold millions of values, which take minutes."""
        self._in_document += 1
        self._in_text += 1
        if self._in_document > VALUES_LIMIT:
            raise _refuse(event, f"it holds more than {VALUES_LIMIT} values")
        if self._in_text > TEXT_LIMIT:
            raise _refuse(event, f"its documents hold more than {TEXT_LIMIT} values together")

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _refuse(event, f"*{event.anchor} names no anchor that is complete")
        return node

    def _items(self) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event)

    def _mapping(self, start: Any) -> Fields:
        entries: dict[str, MappingEntry] = {}
        merged: dict[str, MappingEntry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event)
            value = self._node(next(self._events))
            if _is_merge(event):
                # What comes first wins, and the mapping's own keys win over all that is merged.
                merged = {**self._merge(event, value), **merged}
                continue
            name = _key(event, key)
            if name in entries:
                raise _refuse(event, f"key {name!r} is given twice, first in line {entries[name].line}")
            entries[name] = MappingEntry(value=value, line=_line(event))
        entries = {**merged, **entries}
        size = 1 + sum(size_of(entry.value) for entry in entries.values())
        return Fields(entries=entries, line=_line(start), size=size)

    def _merge(self, event: Any, value: Node) -> dict[str, MappingEntry]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        merged: dict[str, MappingEntry] = {}
        for source in reversed(sources):
            if not isinstance(source, Fields):
                raise _refuse(event, "<< needs a mapping or a list of mappings")
            self._merged += len(source.entries)
            if self._merged > MERGED_LIMIT:
                raise _refuse(event, f"merges (<<) copy more than {MERGED_LIMIT} keys")
            merged |= source.entries
        return merged


def _scalar(event: Any) -> Scalar:
    try:
        value = resolve(event.value, event.tag, is_plain=event.implicit[0] or event.style in (None, ""))
    except ValueError as failure:
        raise _refuse(event, str(failure)) from failure
    return Scalar(value=value, text=event.value, line=_line(event))


def _key(event: Any, key: Node) -> str:
    if not isinstance(key, Scalar):
        raise _refuse(event, "a key is not a scalar")
    try:
        return key_text(key.value)
    except ValueError as failure:
        raise _refuse(event, str(failure)) from failure


def _is_merge(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.style in (None, "")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refuse(event: Any, message: str) -> ManifestError:
    return ManifestError([Problem(path="", message=f"not usable YAML: {message}", line=_line(event))])


def _problem(failure: yaml.YAMLError) -> Problem:
    mark, problem = getattr(failure, "problem_mark", None), getattr(failure, "problem", None)
    if mark is None or not problem:
        return Problem(path="", message=f"not valid YAML: {' '.join(str(failure).split())}")
    message = f"not valid YAML: column {mark.column + 1}: {problem}"
    return Problem(path="", message=message, line=mark.line + 1)
