"""JSON to typed objects and back, as the API server speaks it. Lenient: unknown fields are skipped.

`decode` takes one pass over the bytes. Documents that only Go's reader takes (nulls, missing fields, base64 with line
breaks) are read again, slowly. Reading for people, which names what is wrong, is `podwright.k8s.reading`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from podwright.errors import InvalidArgument
from podwright.k8s.mending import mend
from podwright.k8s.objects.base import ApiObject, Kind, MicroTime
from podwright.k8s.shapes import StructShape

T = TypeVar("T", bound=ApiObject)


def decode(data: bytes | str, cls: type[T]) -> T:
    """One object from JSON. Raises InvalidArgument with the field's path."""
    try:
        decoded: T = _decoder(cls).decode(data)
    except msgspec.ValidationError:
        return from_document(_parsed(data, cls), cls)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise _not_json(cls, failure) from failure
    return decoded


def _parsed(data: bytes | str, cls: type[ApiObject]) -> Any:
    """A type can be wrong before the text is: `[+]ping ok` begins like a list."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise _not_json(cls, failure) from failure


def _not_json(cls: type[ApiObject], failure: Exception) -> InvalidArgument:
    return InvalidArgument(f"{cls.__name__}: this is not JSON: {failure}")


def from_document(document: Any, cls: type[T]) -> T:
    """One object from what a JSON or YAML reader gave: dicts, lists and scalars. Raises InvalidArgument."""
    return convert(mend(document, StructShape(cls=cls)), cls)


def convert(document: Any, cls: type[T]) -> T:
    """One object from a document of msgspec's form. Raises InvalidArgument."""
    try:
        return msgspec.convert(document, cls, dec_hook=_decode_extension)
    except msgspec.ValidationError as failure:
        message, _, where = str(failure).replace("`", "").partition(" - at ")
        path = where.removeprefix("$").removeprefix(".") or cls.__name__
        raise InvalidArgument(f"{path}: {message}") from failure


def encode(value: ApiObject) -> bytes:
    """JSON without fields that hold their default. `kind` and `apiVersion` are added."""
    return _ENCODER.encode(identified(value))


def to_document(value: ApiObject) -> Any:
    """The object as dicts, lists and scalars. `encode` writes the same."""
    return msgspec.json.decode(encode(value))


def identified(value: ApiObject) -> ApiObject:
    """The object with its kind and apiVersion: items of a list come without them."""
    if not isinstance(value, Kind) or not value.API_VERSION or (value.kind and value.api_version):
        return value
    return replace(value, kind=value.kind or type(value).__name__, api_version=value.api_version or value.API_VERSION)


@cache
def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(cls, dec_hook=_decode_extension)


def _decode_extension(kind: type, raw: Any) -> Any:
    if kind is MicroTime and isinstance(raw, str):
        return MicroTime.fromisoformat(raw)
    if kind is MicroTime and isinstance(raw, MicroTime):
        return raw
    raise NotImplementedError(f"no type {kind} on the wire")


def _encode_extension(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise NotImplementedError(f"{type(value)} has no form on the wire")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_extension)
