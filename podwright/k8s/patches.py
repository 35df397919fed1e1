"""Strategic merge patches: from two versions of an object to what makes the one the other. Pure.

A patch names only what changes, so that two writers of one object do not undo each other's work. Items of a list that
has a merge key are changed one by one. Other lists are replaced. The form is apimachinery's
(pkg/util/strategicpatch): `null` removes a field, `$patch` deletes an item or replaces a list, and
`$setElementOrder/FIELD` keeps the order.
"""

from __future__ import annotations

from typing import Any

from podwright.k8s.codec import to_document
from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.shapes import ListShape, Shape, StructShape, fields_of

Document = dict[str, Any]


def strategic_patch(old: ApiObject, new: ApiObject) -> Document:
    """What changes `old` into `new`, two objects of one type. Empty when they are the same."""
    return _fields(to_document(old), to_document(new), type(new))


def _fields(old: Document, new: Document, cls: type[ApiObject] | None) -> Document:
    """The fields that differ. `cls` None stands for a map whose keys are no fields of the API."""
    patch: Document = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old or old[name] != value:
            patch.update(_field(name, old.get(name), value, cls))
    return patch


def _field(name: str, old: Any, new: Any, owner: type[ApiObject] | None) -> Document:
    field = fields_of(owner).get(name) if owner is not None else None
    shape = field.shape if field is not None else None
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: _fields(old, new, shape.cls if isinstance(shape, StructShape) else None)}
    key = PATCH_MERGE_KEYS.get((owner.__name__, name), "") if owner is not None else ""
    if not key or not isinstance(shape, ListShape):
        return {name: new}
    if _is_keyed(old or [], key) and _is_keyed(new, key):
        return _list(name, old or [], new, shape.item, key)
    return {name: [*new, {"$patch": "replace"}]}


def _is_keyed(items: list[Any], key: str) -> bool:
    """Whether the key tells the items apart. A node's addresses are the case in which it does not: two of one type."""
    values = [item.get(key) for item in items]
    return None not in values and len(set(values)) == len(values)


def _list(name: str, old: list[Any], new: list[Any], item: Shape, key: str) -> Document:
    before = {each[key]: each for each in old}
    changes = [_item(before.get(each[key]), each, item, key) for each in new if before.get(each[key]) != each]
    kept = {each[key] for each in new}
    gone = [{"$patch": "delete", key: value} for value in before if value not in kept]
    return {f"$setElementOrder/{name}": [{key: each[key]} for each in new], name: [*changes, *gone]}


def _item(old: Document | None, new: Document, shape: Shape, key: str) -> Document:
    if old is None:
        return new
    return {key: new[key], **_fields(old, new, shape.cls if isinstance(shape, StructShape) else None)}
