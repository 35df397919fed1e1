"""Pods in Kubernetes' protobuf encoding, made from their JSON form by the descriptors of the messages.

A member of the JSON object is the field of the same name, with these exceptions:

- Go embeds some structs: their members stand in the JSON of the struct around them, and are a message of their own.
- A quantity is a message with the canonical text, and metav1.Time one with whole seconds, as Kubernetes writes it.
- An IntOrString says which of the two it is.
- fieldsV1 is JSON as bytes.

What is not a field of the message is left out: `kind` and `apiVersion`, which this encoding does not have, and members
of a newer API. A field that is absent in JSON is absent here, also where Go writes its zero: a reader sees the same.
A pod has no metav1.MicroTime and no base64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from podwright.errors import InvalidArgument
from podwright.k8s import codec, quantity
from podwright.k8s.objects import Pod
from podwright.k8s.protobuf import pod_pb2
from podwright.k8s.times import parse_time

# Fields whose members stand in the JSON of the message around them.
EMBEDDED = frozenset({"ephemeralContainerCommon", "handler", "localObjectReference", "volumeSource"})
_INTEGER, _STRING = 0, 1  # IntOrString's types


def encode_pod(pod: Pod) -> bytes:
    """Encode a Pod for Go's v1.Pod.Unmarshal. Raises InvalidArgument for a value that the encoding does not have."""
    message = pod_pb2.Pod()
    try:
        _fill(message, codec.to_document(pod))
    except ValueError as failure:  # a number of more bits than the field has
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        raise InvalidArgument(f"pod {name} cannot be encoded as protobuf: {failure}") from failure
    return message.SerializeToString(deterministic=True)


def _fill(message: Message, document: Mapping[str, Any]) -> None:
    members = members_of(message.DESCRIPTOR)
    for name, value in document.items():
        if value is not None and name in members:
            embedded, field = members[name]
            _set(getattr(message, embedded) if embedded else message, field, value)


@cache
def members_of(descriptor: Descriptor) -> Mapping[str, tuple[str, FieldDescriptor]]:
    """By the names of members in JSON: the embedded field that holds it, or an empty string, and the field."""
    members: dict[str, tuple[str, FieldDescriptor]] = {}
    for field in descriptor.fields:
        if field.name in EMBEDDED and field.message_type is not None:
            members |= {inner.name: (field.name, inner) for inner in field.message_type.fields}
        else:
            members[field.name] = ("", field)
    return MappingProxyType(members)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    kind = field.message_type
    place = getattr(message, field.name)
    if kind is not None and kind.GetOptions().map_entry:
        _set_map(place, kind.fields_by_name["value"], value)
    elif field.is_repeated and kind is not None:
        for item in value:
            _write(place.add(), item)
    elif field.is_repeated:
        place.extend(value)
    elif kind is not None:
        place.SetInParent()
        _write(place, value)
    else:
        setattr(message, field.name, value)


def _set_map(place: Any, field: FieldDescriptor, values: Mapping[str, Any]) -> None:
    if field.message_type is None:
        place.update(values)
        return
    for key, value in values.items():
        _write(place[key], value)


def _write(message: Message, value: Any) -> None:
    write: Callable[[Any, Any], None] = _FORMS.get(message.DESCRIPTOR.name, _fill)
    write(message, value)


def _write_quantity(message: Any, text: str) -> None:
    message.string = str(quantity.parse(text))


def _write_time(message: Any, text: str) -> None:
    message.seconds = int(parse_time(text).timestamp())


def _write_int_or_string(message: Any, value: int | str) -> None:
    if isinstance(value, str):
        message.type, message.strVal = _STRING, value
    else:
        message.type, message.intVal = _INTEGER, value


def _write_fields(message: Any, document: Any) -> None:
    message.Raw = msgspec.json.encode(document)


_FORMS: Mapping[str, Callable[[Any, Any], None]] = {
    "Quantity": _write_quantity,
    "Time": _write_time,
    "IntOrString": _write_int_or_string,
    "FieldsV1": _write_fields,
}
