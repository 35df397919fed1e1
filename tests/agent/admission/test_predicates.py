"""Which pods a node refuses, and with which of the kubelet's reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from podwright.agent.admission.chain import Refusal
from podwright.agent.admission.fit import Shortage
from podwright.agent.admission.predicates import FreshNodePredicates, Predicates
from podwright.k8s.objects import (
    Affinity,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeFeatures,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    ObjectMeta,
    Pod,
    PodOS,
    PodSecurityContext,
    ResourceRequirements,
    Taint,
    Toleration,
)
from tests.agent.fakes.pods import container, pod

ALLOCATABLE = {"cpu": "2", "memory": "1Gi", "pods": "3", "ephemeral-storage": "10Gi", "example.com/gpu": "1"}


def node(*taints: Taint, **status: Any) -> Node:
    return Node(
        metadata=ObjectMeta(name="node-a", labels={"zone": "a", "cores": "8"}),
        spec=NodeSpec(taints=taints),
        status=NodeStatus(allocatable=ALLOCATABLE, **status),
    )


def asking(name: str = "web", **requests: str) -> Pod:
    amounts = {key.replace("__", "/").replace("_", "-"): text for key, text in requests.items()}
    return pod(name, containers=(container(resources=ResourceRequirements(requests=amounts)),))


def with_port(name: str, port: int, host_ip: str = "", protocol: str = "") -> Pod:
    ports = (ContainerPort(container_port=80, host_port=port, host_ip=host_ip, protocol=protocol),)
    return pod(name, containers=(container(ports=ports),))


def wanting(*terms: NodeSelectorTerm) -> Pod:
    required = NodeSelector(node_selector_terms=terms)
    return pod(
        affinity=Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required))
    )


def expression(key: str, operator: str, *values: str) -> NodeSelectorTerm:
    return NodeSelectorTerm(match_expressions=(NodeSelectorRequirement(key=key, operator=operator, values=values),))


def refusal(asked: Pod, others: Sequence[Pod] = (), on: Node | None = None) -> Refusal | None:
    return Predicates(lambda: on or node())(asked, others)


def reason(asked: Pod, others: Sequence[Pod] = (), on: Node | None = None) -> str:
    found = refusal(asked, others, on)
    return found.reason if found is not None else ""


class TestResources:
    def test_says_how_much_there_is(self) -> None:
        assert refusal(asking(cpu="1500m"), [asking("other", cpu="600m")]) == Refusal(
            reason="OutOfcpu",
            message="Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000",
        )

    @pytest.mark.parametrize(
        ("asked", "others", "expected"),
        [
            (asking(cpu="2", memory="1Gi"), (), ""),
            (asking(memory="600Mi"), (asking("other", memory="500Mi"),), "OutOfmemory"),
            (asking(ephemeral_storage="11Gi"), (), "OutOfephemeral-storage"),
            (asking(example_com__gpu="1"), (), ""),
            (asking(), tuple(asking(f"other-{number}") for number in range(3)), "OutOfpods"),
            (asking(cpu="0"), (asking("other", cpu="5"),), ""),
        ],
        ids=["all of it", "memory", "storage", "unknown extended", "pods", "nothing"],
    )
    def test_reasons(self, asked: Pod, others: Sequence[Pod], expected: str) -> None:
        assert reason(asked, others) == expected

    def test_extended_resources_that_the_node_has(self) -> None:
        gpu = pod(containers=(container(resources=ResourceRequirements(requests={"example.com/gpu": "1"})),))
        assert reason(gpu) == ""
        assert reason(gpu, [gpu]) == "OutOfexample.com/gpu"

    def test_devices_that_a_pod_has_already_count_though_the_node_shows_fewer(self) -> None:
        gpus = pod(containers=(container(resources=ResourceRequirements(requests={"example.com/gpu": "2"})),))
        assert reason(gpus) == "OutOfexample.com/gpu"
        assert Predicates(node, taken_devices=lambda uid: {"example.com/gpu": 2})(gpus, ()) is None

    def test_a_critical_pod_makes_room(self) -> None:
        class Room:
            def make_room(self, pod: Pod, others: Sequence[Pod], short: Sequence[Shortage]) -> str:
                is_asked = short[0].missing == 1000 and pod.metadata.name == "critical" and len(others) == 1
                return "" if is_asked else "no set of running pods found"

        check = Predicates(node, Room())
        small = asking("other", cpu="1")
        critical = pod("critical", source="file", containers=asking(cpu="2").spec.containers)
        assert check(critical, [small]) is None
        assert check(asking(cpu="2"), [small]) is not None


class TestFreshNode:
    async def test_a_label_that_is_newer_than_what_is_known(self) -> None:
        known = [Node(metadata=ObjectMeta(name="node-a"), status=NodeStatus(allocatable=ALLOCATABLE))]

        async def refresh() -> None:
            known.append(node())

        check = FreshNodePredicates(Predicates(lambda: known[-1]), refresh)
        assert await check(pod(node_selector={"zone": "a"}), ()) is None
        assert len(known) == 2

    async def test_other_refusals_read_nothing(self) -> None:
        async def refresh() -> None:
            pytest.fail("the node's labels are not the reason")

        check = FreshNodePredicates(Predicates(node), refresh)
        assert await check(pod(), ()) is None
        refused = await check(asking(cpu="1000"), ())
        assert refused is not None
        assert refused.reason == "OutOfcpu"


class TestPorts:
    @pytest.mark.parametrize(
        ("taken", "expected"),
        [
            (with_port("other", 80), "NodePorts"),
            (with_port("other", 80, protocol="UDP"), ""),
            (with_port("other", 81), ""),
            (with_port("other", 80, host_ip="192.0.2.1"), "NodePorts"),
        ],
        ids=["same", "other protocol", "other port", "one address is all of them"],
    )
    def test_of_others(self, taken: Pod, expected: str) -> None:
        assert reason(with_port("web", 80), [taken]) == expected

    def test_on_different_addresses(self) -> None:
        assert reason(with_port("web", 80, "192.0.2.1"), [with_port("other", 80, "192.0.2.2")]) == ""


class TestNode:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (pod(node_name="node-a"), ""),
            (pod(node_name="node-b"), "NodeName"),
            (pod(node_selector={"zone": "a"}), ""),
            (pod(node_selector={"zone": "b"}), "NodeAffinity"),
            (wanting(expression("zone", "In", "a", "b")), ""),
            (wanting(expression("zone", "NotIn", "a")), "NodeAffinity"),
            (wanting(expression("cores", "Gt", "4")), ""),
            (wanting(expression("cores", "Lt", "4"), expression("zone", "Exists")), ""),
            (wanting(NodeSelectorTerm()), "NodeAffinity"),
            (pod(labels={"kubernetes.io/os": "windows"}), "PodOSSelectorNodeLabelDoesNotMatch"),
            (pod(os=PodOS(name="windows")), "PodOSNotSupported"),
            (pod(os=PodOS(name="linux")), ""),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_name_labels_and_system(self, asked: Pod, expected: str) -> None:
        assert reason(asked) == expected

    def test_fields_of_the_node(self) -> None:
        fields = (NodeSelectorRequirement(key="metadata.name", operator="In", values=("node-a",)),)
        assert reason(wanting(NodeSelectorTerm(match_fields=fields))) == ""

    def test_strict_groups_need_a_runtime_that_has_them(self) -> None:
        asked = pod(security_context=PodSecurityContext(supplemental_groups_policy="Strict"))
        assert reason(asked) == "SupplementalGroupsPolicyNotSupported"
        assert reason(asked, on=node(features=NodeFeatures(supplemental_groups_policy=True))) == ""


class TestTaints:
    TAINT = Taint(key="gone", value="yes", effect="NoExecute")

    @pytest.mark.parametrize(
        ("toleration", "expected"),
        [
            (Toleration(), "TaintToleration"),
            (Toleration(operator="Exists"), ""),
            (Toleration(key="gone", operator="Exists"), ""),
            (Toleration(key="gone", value="yes"), ""),
            (Toleration(key="gone", value="no"), "TaintToleration"),
            (Toleration(key="gone", operator="Exists", effect="NoSchedule"), "TaintToleration"),
        ],
    )
    def test_tolerations(self, toleration: Toleration, expected: str) -> None:
        assert reason(pod(tolerations=(toleration,)), on=node(self.TAINT)) == expected

    def test_only_no_execute_and_not_for_static_pods(self) -> None:
        assert reason(pod(), on=node(Taint(key="gone", effect="NoSchedule"))) == ""
        assert reason(pod(source="file"), on=node(self.TAINT)) == ""
