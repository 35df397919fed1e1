"""Which fields of a pod the agent keeps to: those that the structs of this folder have. Pure.

The others are named in a warning, and refused where the pod cannot mean what it says without them.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from podwright.agent.seed.manifest.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Unkept:
    """A field that is set and not kept to."""

    path: str
    refused: bool


def unkept_fields(document: Mapping[str, Any], cls: type[Node], path: str = "") -> Iterator[Unkept]:
    """Every such field of a document (dicts, lists and scalars) that has the struct's form."""
    known = _fields(cls)
    for key, value in document.items():
        here = f"{path}.{key}" if path else key
        if key not in known:
            if key in cls.REFUSED or value not in (*cls.QUIET.get(key, ()), {}, []):
                yield Unkept(path=here, refused=key in cls.REFUSED)
            continue
        inner = known[key]
        if inner is None:
            continue
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from unkept_fields(item, inner, f"{here}[{index}]")
        elif isinstance(value, dict):
            yield from unkept_fields(value, inner, here)


@cache
def _fields(cls: type[Node]) -> dict[str, type[Node] | None]:
    """The fields by wire name, with the struct that they hold, if they hold one."""
    return {spec.encode_name: _node_in(spec.type) for spec in msgspec.structs.fields(cls)}


def _node_in(kind: Any) -> type[Node] | None:
    if isinstance(kind, type) and issubclass(kind, Node):
        return kind
    if get_origin(kind) in (tuple, types.UnionType):
        return next((node for choice in get_args(kind) if (node := _node_in(choice)) is not None), None)
    return None
