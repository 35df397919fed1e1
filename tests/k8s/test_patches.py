"""Strategic merge patches between two versions of an object."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from podwright.k8s.objects import (
    ContainerStatus,
    HostIP,
    Node,
    NodeCondition,
    NodeStatus,
    ObjectMeta,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
)
from podwright.k8s.patches import strategic_patch


def pod(*conditions: PodCondition, **status: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="web"), spec=PodSpec(containers=()), status=PodStatus(conditions=conditions, **status)
    )


def condition(kind: str, status: str = "True", reason: str = "") -> PodCondition:
    return PodCondition(type=kind, status=status, reason=reason)


def test_nothing_for_the_same() -> None:
    assert strategic_patch(pod(condition("Ready")), pod(condition("Ready"))) == {}


def test_only_the_item_that_changed() -> None:
    before = pod(condition("Ready"), condition("Foreign", reason="Other"))
    after = pod(condition("Ready", "False"), condition("Foreign", reason="Other"))
    assert strategic_patch(before, after) == {
        "status": {
            "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "Foreign"}],
            "conditions": [{"type": "Ready", "status": "False"}],
        }
    }


def test_items_and_fields_that_go() -> None:
    before = pod(condition("Ready", reason="Because"), condition("Gone"), message="text")
    after = pod(condition("Ready"))
    assert strategic_patch(before, after) == {
        "status": {
            "message": None,
            "$setElementOrder/conditions": [{"type": "Ready"}],
            "conditions": [{"type": "Ready", "reason": None}, {"$patch": "delete", "type": "Gone"}],
        }
    }


def test_new_items_come_whole() -> None:
    after = pod(host_ips=(HostIP(ip="192.0.2.1"),))
    assert strategic_patch(pod(), after) == {
        "status": {"$setElementOrder/hostIPs": [{"ip": "192.0.2.1"}], "hostIPs": [{"ip": "192.0.2.1"}]}
    }


def test_lists_without_a_key_are_replaced() -> None:
    status = ContainerStatus(name="main", image="app", image_id="", ready=False, restart_count=0)
    before = pod(container_statuses=(status,))
    after = pod(container_statuses=(replace(status, ready=True),))
    patch = strategic_patch(before, after)
    assert [each["ready"] for each in patch["status"]["containerStatuses"]] == [True]


def test_maps() -> None:
    before = Node(metadata=ObjectMeta(labels={"a": "1", "b": "2"}), status=NodeStatus(capacity={"cpu": "1"}))
    after = Node(metadata=ObjectMeta(labels={"b": "3", "c": "4"}), status=NodeStatus(capacity={"cpu": "2"}))
    assert strategic_patch(before, after) == {
        "metadata": {"labels": {"a": None, "b": "3", "c": "4"}},
        "status": {"capacity": {"cpu": "2"}},
    }


def test_a_key_that_does_not_tell_items_apart_replaces_the_list() -> None:
    double = (NodeCondition(type="Ready", status="True"), NodeCondition(type="Ready", status="False"))
    patch = strategic_patch(Node(status=NodeStatus(phase="x")), Node(status=NodeStatus(phase="x", conditions=double)))
    assert patch["status"]["conditions"][-1] == {"$patch": "replace"}
    assert len(patch["status"]["conditions"]) == 3
