"""The strategic merge patch that turns one object into another, as the kubelet sends it for statuses. Pure.

Rules: apimachinery's pkg/util/strategicpatch (CreateTwoWayMergePatch). What is equal is left out, so that two writers
of different parts do not disturb each other. A list whose items do not differ in their merge key, as a node's
addresses of one type, is replaced as a whole.
"""

from __future__ import annotations

from typing import Any, TypeVar

from podwright.k8s.codec import to_document
from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.shapes import ListShape, MapShape, Shape, StructShape, fields_of

T = TypeVar("T", bound=ApiObject)

# Lists of values that merge (patchStrategy=merge without a key), by type and field.
_SETS = frozenset({("ObjectMeta", "finalizers"), ("NodeSpec", "podCIDRs")})


def difference(before: T, after: T) -> dict[str, Any]:
    """The patch's document. Empty when both are equal. Fields that `before` alone has become null."""
    return _fields(to_document(before), to_document(after), StructShape(cls=type(before)))


def _fields(before: dict[str, Any], after: dict[str, Any], shape: Shape) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif before[key] != value:
            patch |= _changed(key, before[key], value, shape)
    return patch


def _changed(key: str, before: Any, after: Any, shape: Shape) -> dict[str, Any]:
    inner = _inner(shape, key)
    if isinstance(after, dict) and isinstance(before, dict) and isinstance(inner, StructShape | MapShape):
        return {key: _fields(before, after, inner)}
    if isinstance(inner, ListShape) and isinstance(shape, StructShape):
        owner = (shape.cls.__name__, key)
        if merge_key := PATCH_MERGE_KEYS.get(owner):
            return _items(key, before, after, inner.item, merge_key)
        if owner in _SETS:
            return _values(key, before, after)
    return {key: after}


def _items(key: str, before: list[Any], after: list[Any], shape: Shape, merge_key: str) -> dict[str, Any]:
    old = {item.get(merge_key): item for item in before}
    new = {item.get(merge_key): item for item in after}
    if len(old) < len(before) or len(new) < len(after) or None in (*old, *new):
        return {key: [{"$patch": "replace"}, *after]}
    changes: list[Any] = []
    for name, item in new.items():
        if name not in old:
            changes.append(item)
        elif old[name] != item:
            changes.append({**_fields(old[name], item, shape), merge_key: name})
    changes += [{"$patch": "delete", merge_key: name} for name in old if name not in new]
    order = [{merge_key: name} for name in new]
    return {f"$setElementOrder/{key}": order, **({key: changes} if changes else {})}


def _values(key: str, before: list[Any], after: list[Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {f"$setElementOrder/{key}": after}
    if added := [item for item in after if item not in before]:
        patch[key] = added
    if gone := [item for item in before if item not in after]:
        patch[f"$deleteFromPrimitiveList/{key}"] = gone
    return patch


def _inner(shape: Shape, key: str) -> Shape | None:
    if isinstance(shape, MapShape):
        return shape.item
    if isinstance(shape, StructShape):
        spec = fields_of(shape.cls).get(key)
        return spec.shape if spec else None
    return None
