"""The Node object that is registered, and its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from podwright.agent.node.conditions import Pressure, changes
from podwright.agent.node.machine import Machine
from podwright.agent.node.object import (
    DECLARED,
    NodeFindings,
    declared_features,
    differs,
    new_node,
    node_status,
    with_labels,
)
from podwright.agent.runtime.records import (
    CriCondition,
    HandlerFeatures,
    ImageStatus,
    RuntimeState,
    RuntimeVersion,
)
from podwright.k8s.objects import AttachedVolume, Node, NodeCondition, NodeStatus, ObjectMeta, Taint

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
FINE = CriCondition(status=True, reason="", message="")
MACHINE = Machine(
    hostname="Host-A",
    addresses=("192.0.2.7",),
    cpu_count=2,
    memory_bytes=2**30,
    boot_id="boot",
    architecture="amd64",
    swap_bytes=4096,
)


def findings(**changes: Any) -> NodeFindings:
    return NodeFindings(
        **{
            "machine": MACHINE,
            "addresses": ("192.0.2.7", "2001:db8::7"),
            "capacity": {"cpu": "2", "memory": "1Gi", "pods": "110"},
            "allocatable": {"cpu": "2", "memory": "900Mi", "pods": "110"},
            "runtime_version": RuntimeVersion(name="podwright", version="1.0", api_version="v1"),
            "runtime": RuntimeState(
                runtime=FINE,
                network=FINE,
                handlers=(HandlerFeatures(name="", user_namespaces=True), HandlerFeatures(name="runsc")),
                supplemental_groups_policy=True,
            ),
            "port": 10250,
            **changes,
        }
    )


def status(before: NodeStatus | None = None, now: datetime = NOW, **changed: Any) -> NodeStatus:
    return node_status(before or NodeStatus(), findings(**changed), "node-a", now)


def test_a_new_node() -> None:
    node = new_node("node-a", findings(), {"zone": "a"}, [Taint(key="new", effect="NoSchedule")], "cloud://1")
    assert node.metadata.labels == {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": "node-a",
        "kubernetes.io/os": "linux",
        "zone": "a",
    }
    assert node.metadata.annotations == {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    assert (node.spec.provider_id, node.spec.taints[0].key) == ("cloud://1", "new")


def test_a_node_that_exists_keeps_the_labels_of_others() -> None:
    found = Node(metadata=ObjectMeta(name="node-a", labels={"zone": "b", "team": "x"}, uid="1"))
    merged = with_labels(found, new_node("node-a", findings(), {"zone": "a"}, [], ""))
    assert (merged.metadata.labels["zone"], merged.metadata.labels["team"]) == ("a", "x")
    assert merged.metadata.uid == "1"


def test_the_status() -> None:
    found = status()
    assert [(address.type, address.address) for address in found.addresses] == [
        ("InternalIP", "192.0.2.7"),
        ("InternalIP", "2001:db8::7"),
        ("Hostname", "node-a"),
    ]
    info = found.node_info
    assert info is not None
    assert info.container_runtime_version == "podwright://1.0"
    assert info.kubelet_version.startswith("v1.36.0+podwright.")
    assert info.swap is not None
    assert info.swap.capacity == 4096
    assert [handler.name for handler in found.runtime_handlers] == ["", "runsc"]
    assert found.features is not None
    assert found.features.supplemental_groups_policy
    assert [(each.type, each.status) for each in found.conditions] == [
        ("MemoryPressure", "False"),
        ("DiskPressure", "False"),
        ("PIDPressure", "False"),
        ("Ready", "True"),
    ]


def test_the_features_that_a_node_declares() -> None:
    gates = {"NodeDeclaredFeatures": True, **dict.fromkeys(DECLARED, True)}
    state = msgspec.structs.replace(findings().runtime, user_namespaces_host_network=True)
    assert declared_features(gates, state) == DECLARED == tuple(sorted(DECLARED))
    assert declared_features({**gates, DECLARED[1]: False}, state) == (DECLARED[0], *DECLARED[2:])
    assert declared_features({**gates, "NodeDeclaredFeatures": False}, state) == ()
    without = msgspec.structs.replace(state, user_namespaces_host_network=False)
    assert set(DECLARED) - set(declared_features(gates, without)) == {"UserNamespacesHostNetworkSupport"}
    status = node_status(NodeStatus(), findings(declared_features=DECLARED[:1]), "node-a", NOW)
    assert status.declared_features == DECLARED[:1]


def test_only_the_largest_images_with_a_few_names() -> None:
    images = [
        ImageStatus(id="1", size_bytes=1, tags=("small",)),
        ImageStatus(id="2", size_bytes=9, tags=tuple(f"large:{number}" for number in range(9)), digests=("d",)),
    ]
    found = status(images=images, max_images=1).images
    assert [(image.names, image.size_bytes) for image in found] == [
        (("d", "large:0", "large:1", "large:2", "large:3"), 9)
    ]
    assert len(status(images=images, max_images=-1).images) == 2


def test_what_others_write_stays() -> None:
    before = NodeStatus(
        capacity={"example.com/gpu": "2", "cpu": "1", "hugepages-2Mi": "4Mi"},
        conditions=(NodeCondition(type="NetworkUnavailable", status="False"),),
        volumes_attached=(AttachedVolume(name="v", device_path="d"),),
    )
    found = status(before)
    assert found.capacity == {
        "example.com/gpu": "2",
        "cpu": "2",
        "memory": "1Gi",
        "pods": "110",
    }
    assert found.conditions[0].type == "NetworkUnavailable"
    assert found.volumes_attached == before.volumes_attached


def test_heartbeats_alone_are_no_change() -> None:
    first = status()
    second = status(first, LATER)
    assert not differs(first, second)
    assert second.conditions[-1].last_heartbeat_time == LATER
    assert second.conditions[-1].last_transition_time == NOW


def test_the_order_of_addresses_is_no_change() -> None:
    found = status()
    assert not differs(found, replace(found, addresses=found.addresses[::-1]))


def test_a_node_that_is_not_ready_says_why() -> None:
    first = status()
    second = status(first, LATER, problems=("the runtime is down", "no network"), pressures=frozenset({Pressure.DISK}))
    ready = second.conditions[-1]
    assert (ready.reason, ready.message) == ("KubeletNotReady", "[the runtime is down, no network]")
    assert ready.last_transition_time == LATER
    assert differs(first, second)
    assert [(change.type, change.reason) for change in changes(first.conditions, second.conditions)] == [
        ("DiskPressure", "NodeHasDiskPressure"),
        ("Ready", "NodeNotReady"),
    ]
