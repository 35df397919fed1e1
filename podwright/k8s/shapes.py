"""What the types of `objects` look like to code that walks documents: fields by wire name, lists, maps and leaves."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import msgspec

from podwright.k8s.objects.base import ApiObject


class StructShape(msgspec.Struct, frozen=True, kw_only=True):
    """An object with fields."""

    cls: type[ApiObject]


class ListShape(msgspec.Struct, frozen=True, kw_only=True):
    """A list of one shape."""

    item: Shape


class MapShape(msgspec.Struct, frozen=True, kw_only=True):
    """A map from strings to one shape. `free` are values of any JSON."""

    item: Shape


class LeafShape(msgspec.Struct, frozen=True, kw_only=True):
    """A scalar: `type` as msgspec reads it (str, int, bool, bytes, datetime, a union, or Any)."""

    type: Any
    quantity: bool = False


Shape: TypeAlias = StructShape | ListShape | MapShape | LeafShape


class FieldShape(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a struct."""

    attribute: str
    shape: Shape
    required: bool


@cache
def fields_of(cls: type[ApiObject]) -> Mapping[str, FieldShape]:
    """The fields by wire name."""
    return {
        spec.encode_name: FieldShape(attribute=spec.name, shape=shape_of(spec.type), required=spec.required)
        for spec in msgspec.structs.fields(cls)
    }


def shape_of(kind: Any) -> Shape:
    """The shape of an annotation. `X | None` has the shape of X, because an absent field needs none."""
    kind, quantity = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, ApiObject):
        return StructShape(cls=kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return ListShape(item=shape_of(arguments[0]))
    if origin is dict:
        return MapShape(item=shape_of(arguments[1]))
    return LeafShape(type=kind, quantity=quantity)


def _bare(kind: Any) -> tuple[Any, bool]:
    """The annotation without None and Annotated, and whether it is a quantity."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [choice for choice in get_args(kind) if choice is not types.NoneType]
        if len(rest) == 1:
            return _bare(rest[0])
        return Union[tuple(rest)], False  # noqa: UP007 - built from values
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        return inner, any(getattr(note, "extra", None) == {"format": "quantity"} for note in notes)
    return kind, False
