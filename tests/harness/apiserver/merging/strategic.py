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
    result = dict(target) if isinstance(target, dict) else {}
    if (kept := patch.get("$retainKeys")) is not None:
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in rest.items():
        inner, merge_key, as_set = _field(shape, key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _maps(result.get(key), value, inner)
        elif isinstance(value, list) and merge_key:
            result[key] = _keyed(result.get(key) or [], value, inner, merge_key)
        elif isinstance(value, list) and as_set:
            before = result.get(key) or []
            result[key] = [*before, *(item for item in value if item not in before)]
        else:
            result[key] = value
    return _ordered(_dropped(result, patch), patch, shape)


def _keyed(target: list[Any], patch: list[Any], shape: Shape | None, key: str) -> list[Any]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(target)
    for item in patch:
        if key not in item:
            raise ValueError(f"map: {item} does not contain declared merge key: {key}")
        places = [number for number, there in enumerate(result) if there.get(key) == item[key]]
        if item.get("$patch") == "delete":
            result = [there for there in result if there.get(key) != item[key]]
        elif places:
            result[places[0]] = _maps(result[places[0]], item, shape)
        else:
            result.append(_maps({}, item, shape))
    return result


def _dropped(result: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    for name, values in patch.items():
        if name.startswith(_DROP) and (field := name.removeprefix(_DROP)) in result:
            result[field] = [item for item in result[field] if item not in values]
    return result


def _ordered(result: dict[str, Any], patch: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
    """Items that the order names come in that order; the others stay where they were between them, or at the end."""
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        if not name.startswith(_ORDER) or field not in result:
            continue
        _, key, _ = _field(shape, field)
        wanted = [item[key] if key else item for item in order]
        place = {value: number for number, value in enumerate(wanted)}
        named = [item for item in result[field] if _id(item, key) in place]
        others = [item for item in result[field] if _id(item, key) not in place]
        result[field] = [*sorted(named, key=lambda item: place[_id(item, key)]), *others]
    return result


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
