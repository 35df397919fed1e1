"""Strategic merge patches by the patch strategies that the API publishes.

Rules: apimachinery's pkg/util/strategicpatch, and "Update API Objects in Place Using kubectl patch" of the docs. Maps
merge; lists of objects with a merge key merge by it, lists of values of some fields as sets; others are replaced.
Directives: `$patch: delete | replace | merge`, `$retainKeys`, `$setElementOrder/FIELD`, and
`$deleteFromPrimitiveList/FIELD`.
"""

from __future__ import annotations

from typing import Any

from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.shapes import ListShape, MapShape, Shape, StructShape, fields_of

# Lists of values that merge (patchStrategy=merge without a key), by type and field.
SETS = frozenset({("ObjectMeta", "finalizers"), ("NodeSpec", "podCIDRs")})
_ORDER, _DROP = "$setElementOrder/", "$deleteFromPrimitiveList/"


def strategic_merge(document: dict[str, Any], patch: dict[str, Any], cls: type[ApiObject] | None) -> dict[str, Any]:
    """The document after the patch; nothing is changed in place. Raises ValueError and TypeError."""
    result = _maps(document, patch, StructShape(cls=cls) if cls else None)
    if not isinstance(result, dict):
        raise TypeError("the patch leaves no object")
    return result


def _maps(target: Any, patch: dict[str, Any], shape: Shape | None) -> Any:
    how = patch.get("$patch", "merge")
    rest = {key: value for key, value in patch.items() if not key.startswith("$")}
    if how == "replace":
        return rest
    if how == "delete":
        return {}
    before = dict(target) if isinstance(target, dict) else {}
    result = dict(before)
    if (kept := patch.get("$retainKeys")) is not None:
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in rest.items():
        inner, merge_key, as_set = _field(shape, key)
        if value is None:
            result.pop(key, None)
        elif key not in result:
            result[key] = _bare(value)
        elif isinstance(value, dict):
            result[key] = _maps(result[key], value, inner)
        elif isinstance(value, list) and merge_key:
            result[key] = _keyed(result[key] or [], value, inner, merge_key)
        elif isinstance(value, list) and as_set:
            there = result[key] or []
            result[key] = _interleaved([*there, *(item for item in value if item not in there)], value, there, "")
        else:
            result[key] = value
    return _ordered(_dropped(result, patch), patch, before, shape)


def _bare(value: Any) -> Any:
    """The value that a patch adds where there is none: the patch without directives and nulls."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if not key.startswith("$") and item is not None}
    if isinstance(value, list):
        return [_bare(item) for item in value if not (isinstance(item, dict) and "$patch" in item)]
    return value


def _keyed(target: list[Any], patch: list[Any], shape: Shape | None, key: str) -> list[Any]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    for item in patch:
        if key not in item:
            raise ValueError(f"map: {item} does not contain declared merge key: {key}")
    gone = [item[key] for item in patch if item.get("$patch") == "delete"]
    left = [item for item in target if item.get(key) not in gone]
    wanted = [item for item in patch if item.get("$patch") != "delete"]
    result = list(left)
    for item in wanted:
        places = [number for number, there in enumerate(result) if there.get(key) == item[key]]
        if places:
            result[places[0]] = _maps(result[places[0]], item, shape)
        else:
            result.append(_maps({}, item, shape))
    return _interleaved(result, [item[key] for item in wanted], left, key)


def _dropped(result: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    for name, values in patch.items():
        if name.startswith(_DROP) and (field := name.removeprefix(_DROP)) in result:
            result[field] = [item for item in result[field] if item not in values]
    return result


def _ordered(
    result: dict[str, Any], patch: dict[str, Any], before: dict[str, Any], shape: Shape | None
) -> dict[str, Any]:
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        if name.startswith(_ORDER) and field in result:
            _, key, _ = _field(shape, field)
            wanted = [item[key] if key else item for item in order]
            result[field] = _interleaved(result[field], wanted, before.get(field) or [], key)
    return result


def _interleaved(items: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Items that `order` names come in its order. Each of the others comes before the first of these that it came
    before until now, and else at the end."""
    place = {value: number for number, value in enumerate(order)}
    old = {_id(item, key): number for number, item in enumerate(before)}
    named = sorted((item for item in items if _id(item, key) in place), key=lambda item: place[_id(item, key)])
    others = [item for item in items if _id(item, key) not in place]
    result = []
    for item in named:
        at = old.get(_id(item, key))
        while others and at is not None and old.get(_id(others[0], key), at) < at:
            result.append(others.pop(0))
        result.append(item)
    return [*result, *others]


def _id(item: Any, key: str) -> Any:
    return item.get(key) if key else item


def _field(shape: Shape | None, name: str) -> tuple[Shape | None, str, bool]:
    """(the shape of a field or of its items, the merge key if any, whether it is a set)."""
    if isinstance(shape, MapShape):
        return shape.item, "", False
    if not isinstance(shape, StructShape) or name not in (fields := fields_of(shape.cls)):
        return None, "", False
    inner = fields[name].shape
    owner = (shape.cls.__name__, name)
    item = inner.item if isinstance(inner, ListShape) else inner
    return item, PATCH_MERGE_KEYS.get(owner, ""), owner in SETS
