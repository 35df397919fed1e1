"""Documents that Go's JSON reader takes and msgspec's does not, brought into msgspec's form.

Called when the fast way has failed. Rules: encoding/json and sigs.k8s.io/json. A null is the zero value, an absent
field that the API always writes is its zero value too, base64 may have line breaks, a quantity may be a number.
"""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from podwright.k8s.shapes import LeafShape, ListShape, MapShape, Shape, StructShape, fields_of

_ZERO_LEAVES: dict[object, Any] = {str: "", int: 0, bool: False, bytes: b"", int | str: 0}


def mend(raw: Any, shape: Shape) -> Any:
    """The document for `msgspec.convert`. Invalid values stay invalid. Unknown fields are left out."""
    if raw is None:
        return zero(shape)
    if isinstance(shape, StructShape):
        return _struct(raw, shape) if isinstance(raw, dict) else raw
    if isinstance(shape, ListShape):
        return [mend(item, shape.item) for item in raw] if isinstance(raw, list) else raw
    if isinstance(shape, MapShape):
        return {key: mend(item, shape.item) for key, item in raw.items()} if isinstance(raw, dict) else raw
    return _leaf(raw, shape)


def zero(shape: Shape) -> Any:
    """The value that Go has in place of a null."""
    if isinstance(shape, StructShape):
        return _struct({}, shape)
    if isinstance(shape, ListShape):
        return []
    if isinstance(shape, MapShape):
        return {}
    return _ZERO_LEAVES.get(shape.type)


def _struct(raw: dict[str, Any], shape: StructShape) -> dict[str, Any]:
    mended = {}
    for wire, spec in fields_of(shape.cls).items():
        value = raw.get(wire)
        if value is not None or spec.required:
            mended[wire] = mend(value, spec.shape)
    return mended


def _leaf(raw: Any, shape: LeafShape) -> Any:
    if shape.quantity and isinstance(raw, int | float) and not isinstance(raw, bool):
        return str(raw)
    if shape.type is bytes and isinstance(raw, str):
        with contextlib.suppress(ValueError):
            return decode_base64(raw)
    return raw


def decode_base64(text: str) -> bytes:
    """Bytes of base64 that may have line breaks, and nothing else between. Raises ValueError."""
    return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
