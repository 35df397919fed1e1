"""Patches that make one object of another, applied by the tests' API server."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from podwright.k8s import objects
from podwright.k8s.codec import from_document, to_document
from podwright.k8s.merge_keys import PATCH_MERGE_KEYS
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateWaiting,
    ContainerStatus,
    Node,
    NodeAddress,
    NodeCondition,
    NodeStatus,
    ObjectMeta,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
)
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.shapes import ListShape, StructShape, fields_of
from podwright.k8s.strategic import difference
from tests.harness.apiserver.merging.strategic import strategic_merge

SPEC = PodSpec(containers=())
NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXT = st.sampled_from(["", "x", "y"])
METADATA = st.builds(
    ObjectMeta,
    name=st.just("n"),
    labels=st.dictionaries(NAMES, TEXT),
    finalizers=st.lists(NAMES, unique=True).map(tuple),
)


def tuples(of: st.SearchStrategy[Any], key: str | None = None) -> st.SearchStrategy[tuple[Any, ...]]:
    unique = (lambda item: getattr(item, key)) if key else None
    return st.lists(of, max_size=4, unique_by=unique).map(tuple)


RUNNING = ContainerState(running=ContainerStateRunning())
STATES = st.sampled_from(
    [
        ContainerState(),
        ContainerState(waiting=ContainerStateWaiting(reason="x")),
        ContainerState(running=ContainerStateRunning()),
    ]
)
PODS = st.builds(
    Pod,
    metadata=METADATA,
    spec=st.just(SPEC),
    status=st.builds(
        PodStatus,
        phase=TEXT,
        conditions=tuples(st.builds(PodCondition, type=NAMES, status=TEXT, reason=TEXT), "type"),
        container_statuses=tuples(
            st.builds(
                ContainerStatus,
                name=NAMES,
                image=TEXT,
                image_id=TEXT,
                ready=st.booleans(),
                restart_count=st.integers(0, 2),
                state=STATES,
            )
        ),
    ),
)
NODES = st.builds(
    Node,
    metadata=METADATA,
    status=st.builds(
        NodeStatus,
        conditions=tuples(st.builds(NodeCondition, type=NAMES, status=TEXT), "type"),
        addresses=tuples(st.builds(NodeAddress, type=NAMES, address=TEXT)),
        capacity=st.dictionaries(NAMES, st.sampled_from(["1", "2"])),
    ),
)


def leads_from_to(before: ApiObject, after: ApiObject) -> None:
    patch = difference(before, after)
    result = strategic_merge(to_document(before), patch, type(before))
    # An empty list or map and an absent one are the same object.
    assert from_document(result, type(after)) == from_document(to_document(after), type(after))
    if before == after:
        assert patch == {}


@given(before=PODS, after=PODS)
def test_a_pod_becomes_the_other(before: Pod, after: Pod) -> None:
    leads_from_to(before, after)


@given(before=NODES, after=NODES)
def test_a_node_becomes_the_other(before: Node, after: Node) -> None:
    leads_from_to(before, after)


@given(pod=PODS)
def test_nothing_is_sent_for_nothing(pod: Pod) -> None:
    assert difference(pod, pod) == {}


def test_only_what_differs_is_sent() -> None:
    other = PodCondition(type="A", status="True")
    before, after = (
        Pod(status=PodStatus(phase="Pending", conditions=(other, ready)), spec=SPEC)
        for ready in (
            PodCondition(type="Ready", status="False", reason="r"),
            PodCondition(type="Ready", status="True"),
        )
    )
    assert difference(before, after) == {
        "status": {
            "$setElementOrder/conditions": [{"type": "A"}, {"type": "Ready"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": None}],
        }
    }


def test_addresses_of_one_type_are_replaced() -> None:
    both = tuple(NodeAddress(type="InternalIP", address=each) for each in ("10.0.0.1", "fd00::1"))
    patch = difference(Node(), Node(status=NodeStatus(addresses=both)))
    assert patch == {"status": {"addresses": [{"address": each.address, "type": "InternalIP"} for each in both]}}
    patch = difference(Node(status=NodeStatus(addresses=both[:1])), Node(status=NodeStatus(addresses=both)))
    assert patch["status"]["addresses"][0] == {"$patch": "replace"}


def test_merge_keys_name_fields_that_there_are() -> None:
    for (name, wire), key in PATCH_MERGE_KEYS.items():
        shape = fields_of(getattr(objects, name))[wire].shape
        assert isinstance(shape, ListShape), (name, wire)
        assert isinstance(shape.item, StructShape)
        assert key in fields_of(shape.item.cls), (name, wire)
