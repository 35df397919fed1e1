"""Fields that these types do not know survive a round trip: objects of a newer API server are changed without loss.

`decode_kept` keeps the bytes beside the value, which costs a reference. Only `encode_kept` looks at them again: it
takes the unknown fields of the raw document and everything else from the value. Items of lists belong together by
their merge key, by their name, or else by their position. What the value no longer has is gone, with the unknown
fields inside it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Generic, TypeVar

import msgspec

from podwright.k8s.codec import decode, to_document
from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.shapes import ListShape, MapShape, Shape, StructShape, fields_of

T = TypeVar("T", bound=ApiObject)


class Kept(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An object and the JSON that it was read from."""

    value: T
    raw: bytes


def decode_kept(data: bytes, cls: type[T]) -> Kept[T]:
    """One object from JSON. Raises InvalidArgument."""
    return Kept(value=decode(data, cls), raw=data)


def encode_kept(value: ApiObject, raw: bytes) -> bytes:
    """JSON of the value, with what only `raw` (an object of the same type) has."""
    shape = StructShape(cls=type(value))
    return msgspec.json.encode(_overlaid(msgspec.json.decode(raw), to_document(value), shape))


def _overlaid(raw: Any, known: Any, shape: Shape) -> Any:
    """`known` with the unknown fields of `raw`."""
    if isinstance(shape, StructShape) and isinstance(raw, dict):
        return _struct(raw, known, shape)
    if isinstance(shape, MapShape) and isinstance(raw, dict):
        return {key: _overlaid(raw.get(key), value, shape.item) for key, value in known.items()}
    if isinstance(shape, ListShape) and isinstance(raw, list):
        return _list(raw, known, shape.item, key="")
    return known


def _struct(raw: dict[str, Any], known: dict[str, Any], shape: StructShape) -> dict[str, Any]:
    fields = fields_of(shape.cls)
    result = {}
    for wire, value in raw.items():
        if wire not in fields:
            result[wire] = value
        elif wire in known:
            inner = fields[wire].shape
            if isinstance(inner, ListShape) and isinstance(value, list):
                key = PATCH_MERGE_KEYS.get((shape.cls.__name__, wire), "")
                result[wire] = _list(value, known[wire], inner.item, key=key)
            else:
                result[wire] = _overlaid(value, known[wire], inner)
    return {**result, **{wire: value for wire, value in known.items() if wire not in result}}


def _list(raw: list[Any], known: list[Any], item: Shape, *, key: str) -> list[Any]:
    if not isinstance(item, StructShape):
        return known
    key = key or ("name" if "name" in fields_of(item.cls) else "")
    before = dict(zip(_identities(raw, key), raw, strict=True))
    return [_overlaid(before.get(name), now, item) for name, now in zip(_identities(known, key), known, strict=True)]


def _identities(items: list[Any], key: str) -> list[tuple[str, int]]:
    """(the key's value, how many of the same came before): unique, also where the API does not ask for it."""
    seen: Counter[str] = Counter()
    identities = []
    for item in items:
        name = msgspec.json.encode(item.get(key)).decode() if key and isinstance(item, dict) else ""
        identities.append((name, seen[name]))
        seen[name] += 1
    return identities
