"""Unknown fields survive a round trip, and nothing else of the old document does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from podwright.k8s import objects
from podwright.k8s.codec import decode
from podwright.k8s.keeping import decode_kept, encode_kept
from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects import Container, Pod
from podwright.k8s.shapes import ListShape, MapShape, Shape, StructShape, fields_of
from tests.k8s.samples import POD, POD_JSON

UNKNOWN = st.sampled_from(["fieldOfTheFuture", "x", "zz"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def structs(document: Any, shape: Shape) -> Iterator[dict[str, Any]]:
    """Every part of a document that is an object with fields."""
    if isinstance(shape, StructShape):
        yield document
        for wire, spec in fields_of(shape.cls).items():
            if document.get(wire) is not None:
                yield from structs(document[wire], spec.shape)
    elif isinstance(shape, ListShape):
        for item in document:
            yield from structs(item, shape.item)
    elif isinstance(shape, MapShape):
        for item in document.values():
            yield from structs(item, shape.item)


PLACES = len(list(structs(POD, StructShape(cls=Pod))))


def without_nulls(document: Any) -> Any:
    """A known null is an absent field."""
    plain = copy.deepcopy(document)
    for condition in plain["status"]["conditions"]:
        condition.pop("lastProbeTime", None)
    return plain


def extended(additions: list[tuple[int, str, Any]]) -> dict[str, Any]:
    document = copy.deepcopy(POD)
    places = list(structs(document, StructShape(cls=Pod)))
    for place, name, value in additions:
        places[place][name] = value
    return document


@given(st.lists(st.tuples(st.integers(0, PLACES - 1), UNKNOWN, JSON), max_size=8))
def test_unknown_fields_survive_anywhere(additions: list[tuple[int, str, Any]]) -> None:
    document = extended(additions)
    kept = decode_kept(json.dumps(document).encode(), Pod)
    assert json.loads(encode_kept(kept.value, kept.raw)) == without_nulls(document)


@given(st.lists(st.tuples(st.integers(0, PLACES - 1), UNKNOWN, JSON), max_size=8), st.data())
def test_what_is_changed_is_changed_and_nothing_else(
    additions: list[tuple[int, str, Any]], data: st.DataObject
) -> None:
    document = extended(additions)
    kept = decode_kept(json.dumps(document).encode(), Pod)
    spec = kept.value.spec
    names = data.draw(st.permutations([volume.name for volume in spec.volumes]))
    left = names[: data.draw(st.integers(0, len(names)))]
    volumes = tuple(next(volume for volume in spec.volumes if volume.name == name) for name in left)
    changed = replace(kept.value, spec=replace(spec, volumes=volumes, node_name="other"))
    expected = without_nulls(document)
    by_name = {volume["name"]: volume for volume in expected["spec"]["volumes"]}
    expected["spec"]["nodeName"] = "other"
    expected["spec"]["volumes"] = [by_name[name] for name in left]
    if not left:
        del expected["spec"]["volumes"]
    encoded = encode_kept(changed, kept.raw)
    assert json.loads(encoded) == expected
    assert decode(encoded, Pod) == changed


def test_lists_are_matched_by_key_by_name_and_by_position() -> None:
    raw = {
        "spec": {
            "containers": [
                {"name": "a", "new": 1, "ports": [{"containerPort": 1, "new": 2}, {"containerPort": 2, "new": 3}]},
                {"name": "b", "new": 4, "args": ["x"]},
            ],
            "tolerations": [{"key": "k", "new": 5}, {"key": "k", "new": 6}],
        }
    }
    kept = decode_kept(json.dumps(raw).encode(), Pod)
    first, second = kept.value.spec.containers
    containers = (second, Container(name="new"), replace(first, ports=tuple(reversed(first.ports))))
    value = replace(kept.value, spec=replace(kept.value.spec, containers=containers))
    spec = json.loads(encode_kept(value, kept.raw))["spec"]
    assert spec["containers"] == [
        {"name": "b", "new": 4, "args": ["x"]},
        {"name": "new"},
        {"name": "a", "new": 1, "ports": [{"containerPort": 2, "new": 3}, {"containerPort": 1, "new": 2}]},
    ]
    assert spec["tolerations"] == raw["spec"]["tolerations"]


def test_labels_that_are_taken_away_do_not_come_back() -> None:
    kept = decode_kept(POD_JSON, Pod)
    metadata = replace(kept.value.metadata, labels={"only": "this"}, annotations={})
    found = json.loads(encode_kept(replace(kept.value, metadata=metadata), kept.raw))
    assert found["metadata"]["labels"] == {"only": "this"}
    assert "annotations" not in found["metadata"]
    assert found["spec"]["fieldOfTheFuture"] == {"answer": [42]}


def test_merge_keys_name_fields_that_there_are() -> None:
    for (name, wire), key in PATCH_MERGE_KEYS.items():
        shape = fields_of(getattr(objects, name))[wire].shape
        assert isinstance(shape, ListShape), (name, wire)
        assert isinstance(shape.item, StructShape)
        assert key in fields_of(shape.item.cls), (name, wire)
