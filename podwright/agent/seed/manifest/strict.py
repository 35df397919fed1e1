"""The strict walk: raw YAML against the structs, with a path for every fault and every field not honoured.

Called by `bundle`. One walk finds all faults; a document with faults yields no object.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from podwright.agent.seed.manifest.node import Node
from podwright.agent.seed.manifest.problems import Problem

NodeType = TypeVar("NodeType", bound=Node)
# YAML aliases can make a small file mean a huge tree; no Pod comes near this.
VALUES_LIMIT = 200_000
_KINDS = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    attribute: str
    type: Any
    required: bool


@dataclass(slots=True)
class Walk:
    """What a walk has found; `warnings` are paths of fields that are not honoured."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    values: int = 0

    def decode(self, raw: object, cls: type[NodeType], path: str = "") -> NodeType | None:
        """The object, or None when this walk has found faults in it."""
        before = len(self.problems)
        decoded = self._value(raw, cls, path)
        return decoded if len(self.problems) == before else None

    def fault(self, path: str, message: str) -> None:
        """Note a fault."""
        self.problems.append(Problem(path=path, message=message))

    def _value(self, raw: object, kind: Any, path: str) -> Any:
        self.values += 1
        if self.values > VALUES_LIMIT:
            if self.values == VALUES_LIMIT + 1:
                self.fault("", f"holds more than {VALUES_LIMIT} values")
            return None
        kind = _without_none(kind)
        if isinstance(kind, type) and issubclass(kind, Node):
            return self._node(raw, kind, path)
        if get_origin(kind) is tuple:
            return self._list(raw, get_args(kind)[0], path)
        return self._leaf(raw, kind, path)

    def _node(self, raw: object, cls: type[Node], path: str) -> Any:
        if not isinstance(raw, dict):
            return self.fault(path, f"expected a mapping of fields, got {_shown(raw)}")
        known = _fields(cls)
        arguments: dict[str, Any] = {}
        for key, value in raw.items():
            here = f"{path}.{key}" if path else str(key)
            if value is None:
                continue  # the API treats null as absent
            if key in known:
                arguments[known[key].attribute] = self._value(value, known[key].type, here)
            else:
                self._foreign(cls, known, str(key), value, here)
        missing = [key for key, spec in known.items() if spec.required and spec.attribute not in arguments]
        for key in missing:
            self.fault(f"{path}.{key}" if path else key, "is required")
        return None if missing else cls(**arguments)

    def _foreign(self, cls: type[Node], known: Iterable[str], key: str, value: object, path: str) -> None:
        if key in cls.REFUSED:
            self.fault(path, "is not supported here")
        elif key in cls.WARNED:
            if value not in cls.QUIET.get(key, ()) and value not in ({}, []):
                self.warnings.append(path)
        else:
            nearest = _nearest(key, [*known, *cls.WARNED, *cls.REFUSED])
            self.fault(path, "no such field" + (f", did you mean {nearest}?" if nearest else ""))

    def _list(self, raw: object, item: Any, path: str) -> Any:
        if not isinstance(raw, list):
            return self.fault(path, f"expected a list, got {_shown(raw)}")
        return tuple(self._value(value, item, f"{path}[{index}]") for index, value in enumerate(raw))

    def _leaf(self, raw: object, kind: Any, path: str) -> Any:
        if get_origin(kind) is dict and isinstance(raw, dict):
            raw = {key: "" if value is None else value for key, value in raw.items()}
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as failure:
            quoting = isinstance(raw, bool | int | float) and kind is str
            where, message = _located(path, raw, kind, failure)
            return self.fault(where, message + (f"; quote it: {_quoted(raw)}" if quoting else ""))


def _located(path: str, raw: object, kind: Any, failure: msgspec.ValidationError) -> tuple[str, str]:
    """The path of the bad entry for maps, and msgspec's words without its markup."""
    if get_origin(kind) is dict and isinstance(raw, dict):
        for key, value in raw.items():
            try:
                msgspec.convert({key: value}, kind)
            except msgspec.ValidationError:
                return f"{path}[{key}]", f"expected a string, got {_shown(value)}"
    return path, str(failure).partition(" - at ")[0].replace("`", "").replace("Expected", "expected")


@cache
def _fields(cls: type[Node]) -> dict[str, _Field]:
    return {
        spec.encode_name: _Field(attribute=spec.name, type=spec.type, required=spec.required)
        for spec in msgspec.structs.fields(cls)
    }


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        rest = [choice for choice in get_args(kind) if choice is not types.NoneType]
        return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 - built from values
    return kind


def _nearest(word: str, known: list[str]) -> str:
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""


def _shown(raw: object) -> str:
    return _KINDS.get(type(raw), "nothing" if raw is None else type(raw).__name__)


def _quoted(raw: object) -> str:
    return f'"{str(raw).lower() if isinstance(raw, bool) else raw}"'
