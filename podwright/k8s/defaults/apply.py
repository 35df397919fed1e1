"""Walks an object and applies the rule of each type on the way down, as the API server's generated code does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from msgspec.structs import replace

from podwright.errors import InvalidArgument
from podwright.k8s.defaults import core, services, storage, workloads
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.quantity import NANO, Amount, parse
from podwright.k8s.shapes import LeafShape, ListShape, MapShape, Shape, StructShape, fields_of

T = TypeVar("T", bound=ApiObject)
_MILLI = NANO // 1000
_RULES: dict[type[ApiObject], Callable[[Any], Any]] = {
    **core.RULES,
    **storage.RULES,
    **services.RULES,
    **workloads.RULES,
}


def with_defaults(value: T) -> T:
    """The object as the API server would store it."""
    rule = _RULES.get(type(value))
    if rule is not None:
        value = rule(value)
    changed = {}
    for attribute, shape in _plan(type(value)):
        before = getattr(value, attribute)
        after = _inside(before, shape) if before else before
        if after is not before:
            changed[attribute] = after
    return replace(value, **changed) if changed else value


@cache
def _plan(cls: type[ApiObject]) -> tuple[tuple[str, Shape], ...]:
    """The fields that can hold something to default."""
    return tuple((spec.attribute, spec.shape) for spec in fields_of(cls).values() if _matters(spec.shape))


def _matters(shape: Shape) -> bool:
    if isinstance(shape, LeafShape):
        return False
    if isinstance(shape, StructShape):
        return True
    item = shape.item
    return not isinstance(item, LeafShape) or (isinstance(shape, MapShape) and item.quantity)


def _inside(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructShape):
        return with_defaults(value)
    if isinstance(shape, ListShape):
        items = tuple(_inside(item, shape.item) for item in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return _rounded(value) if isinstance(shape, MapShape) else value


def _rounded(quantities: Mapping[str, str]) -> Mapping[str, str]:
    """The API keeps no more than three digits of a resource, rounded up."""
    rounded = {name: _at_most_milli(text) for name, text in quantities.items()}
    return quantities if rounded == quantities else rounded


def _at_most_milli(text: str) -> str:
    try:
        amount = parse(text)
    except InvalidArgument:
        return text  # validation names it
    return text if amount.nano % _MILLI == 0 else str(Amount(amount.milli * _MILLI, amount.format))
