"""Pods at random, and what bytes say of a pod: the way back, which only tests need."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
from google.protobuf.message import Message

from podwright.k8s.objects import Pod
from podwright.k8s.protobuf import pod_pb2
from podwright.k8s.shapes import LeafShape, ListShape, MapShape, Shape, StructShape, fields_of
from podwright.k8s.times import format_time

INLINE = ("ephemeralContainerCommon", "handler", "localObjectReference", "volumeSource")
# Members that podwright/k8s/objects has and Kubernetes 1.36 has not.
NEWER = {
    ("ClusterTrustBundleProjection", "user"),
    ("ConfigMapVolumeSource", "defaultUser"),
    ("DownwardAPIVolumeFile", "user"),
    ("DownwardAPIVolumeSource", "defaultUser"),
    ("EmptyDirVolumeSource", "mode"),
    ("GRPCAction", "mode"),
    ("HTTPGetAction", "protocol"),
    ("KeyToPath", "user"),
    ("NodeAllocatableResourceClaimStatus", "mapping"),
    ("NodeAllocatableResourceClaimStatus", "overhead"),
    ("PodCertificateProjection", "user"),
    ("PodSpec", "evictionResponders"),
    ("PodStatus", "volumeHealth"),
    ("ProjectedVolumeSource", "defaultUser"),
    ("SecretVolumeSource", "defaultUser"),
    ("ServiceAccountTokenProjection", "user"),
    ("VolumeMount", "bindMountOptions"),
}
TEXTS = ("", "a", "b", "c", "d", "e", "name-1", "Größe", "日本", "x" * 128)
NUMBERS = (0, 1, -1, 127, 128, 2**31 - 1, -(2**31))
QUANTITIES = ("0", "1", "100m", "1536Mi", "64Gi", "3k", "12e6", "-5")


def pod_of(data: bytes) -> dict[str, Any]:
    """The JSON form of an encoded pod."""
    return document_of(pod_pb2.Pod.FromString(data))


def document_of(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name in INLINE:
            document |= document_of(value)
        elif field.message_type is None:
            document[field.name] = list(value) if field.is_repeated else value
        elif field.message_type.GetOptions().map_entry:
            document[field.name] = {key: _item(value[key]) for key in value}
        else:
            document[field.name] = [_item(each) for each in value] if field.is_repeated else _item(value)
    return document


def _item(value: Any) -> Any:
    kind = value.DESCRIPTOR.name if isinstance(value, Message) else ""
    if kind == "Quantity":
        return value.string
    if kind == "Time":
        return format_time(datetime.fromtimestamp(value.seconds, UTC)) if value.HasField("seconds") else None
    if kind == "IntOrString":
        return value.strVal if value.type else value.intVal
    if kind == "FieldsV1":
        return msgspec.json.decode(value.Raw)
    return document_of(value) if kind else value


def random_pod(chance: random.Random, fullness: float) -> dict[str, Any]:
    """The JSON form of some pod that nobody would write. `fullness` is how likely a member is there, 0 to 1."""
    return {"apiVersion": "v1", "kind": "Pod", **_struct(Pod, chance, fullness)}


def _struct(cls: Any, chance: random.Random, fullness: float) -> dict[str, Any]:
    return {
        wire: _value(spec.shape, chance, fullness)
        for wire, spec in fields_of(cls).items()
        if wire not in ("apiVersion", "kind") or cls is not Pod
        if (cls.__name__, wire) not in NEWER and (spec.required or chance.random() < fullness)
    }


def _value(shape: Shape, chance: random.Random, fullness: float) -> Any:
    if isinstance(shape, StructShape):
        return _struct(shape.cls, chance, fullness)
    count = chance.choice((0, 1, 2)) if fullness < 1 else 1
    if isinstance(shape, ListShape):
        return [_value(shape.item, chance, fullness) for _ in range(count)]
    if isinstance(shape, MapShape):
        return {f"key{number}": _value(shape.item, chance, fullness) for number in range(count)}
    return _leaf(shape, chance)


def _leaf(shape: LeafShape, chance: random.Random) -> Any:
    if shape.quantity:
        return chance.choice(QUANTITIES)
    choices: dict[Any, tuple[Any, ...]] = {
        str: TEXTS,
        int: NUMBERS,
        bool: (False, True),
        datetime: ("2026-03-01T10:00:00Z", "1969-12-31T23:59:59Z"),
        Any: ({}, {"f:name": {}}),
    }
    return chance.choice(choices.get(shape.type, (*TEXTS, *NUMBERS)))
