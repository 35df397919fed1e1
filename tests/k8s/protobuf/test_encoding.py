"""Pods in Kubernetes' protobuf encoding, beside what Kubernetes' own types make of the same pods."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s import codec
from podwright.k8s.objects import Pod
from podwright.k8s.protobuf import pod_pb2
from podwright.k8s.protobuf.encoding import encode_pod, members_of
from podwright.k8s.shapes import LeafShape, ListShape, MapShape, Shape, StructShape, fields_of
from tests.k8s.protobuf.documents import NEWER, document_of, pod_of, random_pod
from tests.k8s.samples import POD

# Each line: a name, the JSON of a pod as Go writes it, and what v1.Pod.Marshal of Kubernetes 1.36 gives, in hex.
GOLDEN = [line.split("\t") for line in (Path(__file__).parent / "golden.tsv").read_text().splitlines()]
EMPTY: dict[str, Any] = {"spec": {"containers": []}}


def read(data: bytes) -> Pod:
    """A pod out of its encoding. Zeros are absent in the result where Go's type is a value."""
    return codec.from_document(EMPTY | pod_of(data), Pod)


def pod_from(document: dict[str, Any]) -> Pod:
    return codec.from_document({name: document[name] for name in document if name not in ("kind", "apiVersion")}, Pod)


@pytest.mark.parametrize(
    ("text", "encoded"), [(text, encoded) for _, text, encoded in GOLDEN], ids=[g[0] for g in GOLDEN]
)
def test_the_same_as_go(text: str, encoded: str) -> None:
    by_go = read(bytes.fromhex(encoded))
    assert by_go == pod_from(json.loads(text))
    assert read(encode_pod(pod_from(json.loads(text)))) == by_go


@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.3]))
def test_nothing_is_lost(seed: int, fullness: float) -> None:
    pod = pod_from(random_pod(random.Random(seed), fullness))
    assert read(encode_pod(pod)) == pod


def test_every_field_has_its_place() -> None:
    """A pod with all members that Kubernetes 1.36 knows."""
    pod = pod_from(random_pod(random.Random(1), 1.0))
    assert read(encode_pod(pod)) == pod
    assert set(unplaced(StructShape(cls=Pod), pod_pb2.Pod.DESCRIPTOR, set())) == NEWER | {
        ("Pod", "apiVersion"),
        ("Pod", "kind"),
    }


def unplaced(shape: Shape, descriptor: Any, seen: set[str]) -> list[tuple[str, str]]:
    """The members of types that have no field, and a failure for a field of another kind."""
    if not isinstance(shape, StructShape) or shape.cls.__name__ in seen:
        return []
    seen.add(shape.cls.__name__)
    members, found = members_of(descriptor), []
    for wire, spec in fields_of(shape.cls).items():
        if wire not in members:
            found.append((shape.cls.__name__, wire))
            continue
        _, field = members[wire]
        inner = spec.shape.item if isinstance(spec.shape, ListShape | MapShape) else spec.shape
        assert_fits(spec.shape, field)
        if field.message_type is not None:
            found += unplaced(inner, field.message_type, seen)
    return found


def assert_fits(shape: Shape, field: FieldDescriptor) -> None:
    kind = field.message_type
    if kind is not None and kind.name == "FieldsV1":
        return
    is_map = kind is not None and kind.GetOptions().map_entry
    assert isinstance(shape, MapShape) == is_map, field.full_name
    assert isinstance(shape, ListShape) == (field.is_repeated and not is_map), field.full_name
    inner = shape.item if isinstance(shape, ListShape | MapShape) else shape
    target = kind.fields_by_name["value"] if kind is not None and is_map else field
    if isinstance(inner, LeafShape) and inner.type in (str, int, bool):
        assert _kind(target) == {str: "string", int: "int", bool: "bool"}[inner.type], field.full_name


def _kind(field: FieldDescriptor) -> str:
    names = {
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_INT32: "int",
        FieldDescriptor.TYPE_INT64: "int",
        FieldDescriptor.TYPE_BOOL: "bool",
    }
    is_quantity = field.message_type is not None and field.message_type.name == "Quantity"
    return "string" if is_quantity else names[field.type]


def spec_of(**spec: Any) -> dict[str, Any]:
    document: dict[str, Any] = pod_of(encode_pod(pod_from({"spec": {"containers": [], **spec}})))["spec"]
    return document


def test_a_zero_that_somebody_wrote_is_there() -> None:
    """`runAsUser: 0` is root, and an absent one is the image's user."""
    assert spec_of(securityContext={"runAsUser": 0}, hostUsers=False)["securityContext"] == {"runAsUser": 0}
    assert spec_of(hostUsers=False) == {"hostUsers": False}
    assert spec_of() == {}


def test_an_empty_message_is_there() -> None:
    volumes = [{"name": "scratch", "emptyDir": {}}]
    assert spec_of(volumes=volumes, securityContext={}) == {"volumes": volumes, "securityContext": {}}


@pytest.mark.parametrize(
    ("written", "canonical"), [("0.5", "500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1e3", "1e3")]
)
def test_quantities_are_canonical(written: str, canonical: str) -> None:
    assert spec_of(overhead={"memory": written})["overhead"] == {"memory": canonical}


def test_what_is_unknown_is_left_out() -> None:
    pod = codec.from_document(POD, Pod)
    document = pod_of(encode_pod(pod))
    assert "fieldOfTheFuture" in POD["spec"]
    assert "fieldOfTheFuture" not in document["spec"]
    assert document["spec"]["nodeName"] == "node-1"
    assert "kind" not in document


def test_times_are_whole_seconds() -> None:
    metadata = {"name": "web", "creationTimestamp": "2026-03-01T10:00:00.75Z"}
    message = pod_pb2.Pod.FromString(encode_pod(pod_from({**EMPTY, "metadata": metadata})))
    assert (message.metadata.creationTimestamp.seconds, message.metadata.creationTimestamp.nanos) == (1772359200, 0)
    assert document_of(message)["metadata"]["creationTimestamp"] == "2026-03-01T10:00:00Z"


def test_a_number_of_too_many_bits_is_an_error() -> None:
    metadata = {"name": "web", "namespace": "default"}
    pod = pod_from({"metadata": metadata, "spec": {"containers": [], "priority": 2**31}})
    with pytest.raises(InvalidArgument, match="pod default/web cannot be encoded as protobuf"):
        encode_pod(pod)


def test_the_same_pod_gives_the_same_bytes() -> None:
    labels = {f"key{number}": "x" for number in range(50)}
    backwards = dict(reversed(labels.items()))
    pods = [pod_from({**EMPTY, "metadata": {"labels": each}}) for each in (labels, backwards)]
    assert encode_pod(pods[0]) == encode_pod(pods[1])
