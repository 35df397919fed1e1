"""What pods are let in with, what their containers are made with, and when it is free again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from podwright.agent.admission.allocation import AllocationCheck
from podwright.agent.admission.chain import Admission, Refusal
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.devices import Allocation, AllottedDevice
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.topology.hints import NO_AFFINITY, Hints, TopologyHint
from podwright.agent.resources.topology.manager import TopologyManager
from podwright.agent.resources.topology.masks import mask_of
from podwright.agent.resources.topology.policies import RESTRICTED, TopologyOptions, TopologyPolicy
from podwright.agent.resources.topology.setup import topology_manager
from podwright.errors import PodwrightError, Unavailable
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod
from tests.agent.resources.topology.trees import Shape, machine


class Slots:
    """A manager with one slot on each node."""

    def __init__(self, nodes: Collection[int], resource: str = "slot") -> None:
        self._free = set(nodes)
        self._resource = resource
        self.taken: dict[tuple[str, str], int] = {}
        self.affinities: list[TopologyHint] = []
        self.pods: list[TopologyHint] = []
        self.failure: PodwrightError | None = None

    def hints(self, pod: Pod, container: Container) -> Hints:
        return {self._resource: [TopologyHint(nodes=mask_of([node]), preferred=True) for node in self._free]}

    def pod_hints(self, pod: Pod) -> Hints:
        return self.hints(pod, pod.spec.containers[0])

    async def allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        self.affinities.append(affinity)
        if self.failure is not None:
            raise self.failure
        node = next((each for each in self._free if affinity.nodes is None or affinity.nodes >> each & 1), None)
        if node is None:
            raise NotAdmitted("OutOfSlots", "no slot is free")
        self._free.remove(node)
        self.taken[pod.metadata.uid, container.name] = node

    async def allocate_pod(self, pod: Pod, affinity: TopologyHint) -> None:
        self.pods.append(affinity)

    async def allotted(self, pod: Pod, container: AnyContainer) -> Allocation:
        node = self.taken.get((pod.metadata.uid, container.name))
        path = f"/dev/{self._resource}{node}"
        device = AllottedDevice(host_path=path, container_path=path, permissions="rw")
        return Allocation() if node is None else Allocation(devices=(device,), environment={self._resource: str(node)})

    def holders(self) -> Collection[str]:
        return {uid for uid, _ in self.taken}

    def release(self, uid: str) -> None:
        for key in [key for key in self.taken if key[0] == uid]:
            self._free.add(self.taken.pop(key))


def restricted(tmp_path: Path) -> TopologyPolicy:
    return TopologyPolicy(RESTRICTED, TopologyOptions(), machine(tmp_path, Shape(sockets=2)))


async def refusal(
    manager: TopologyManager, wanted: Pod, others: Sequence[Pod] = (), *, read: bool = True
) -> Refusal | None:
    return await Admission([AllocationCheck(manager, lambda: read)]).refuse(wanted, others)


async def test_resources_come_from_one_node_and_reach_the_container(tmp_path: Path) -> None:
    left, right = Slots([0, 1], "left"), Slots([1], "right")
    manager = TopologyManager([left, right], restricted(tmp_path))
    web = pod()
    assert await refusal(manager, web) is None
    made = await manager.of(web, web.spec.containers[0])
    assert [device.host_path for device in made.devices] == ["/dev/left1", "/dev/right1"]
    assert made.environment == {"left": "1", "right": "1"}


async def test_without_a_common_node_the_pod_is_refused(tmp_path: Path) -> None:
    manager = TopologyManager([Slots([0], "left"), Slots([1], "right")], restricted(tmp_path))
    assert await refusal(manager, pod()) == Refusal(
        reason="TopologyAffinityError", message="Resources cannot be allocated with Topology locality"
    )


async def test_without_a_policy_resources_come_from_anywhere() -> None:
    slots = Slots([0])
    assert await refusal(topology_manager(AgentConfig().managers, [slots]), pod()) is None
    assert slots.affinities == [NO_AFFINITY]


async def test_a_pod_gets_all_or_nothing() -> None:
    slots = Slots([0])
    manager = TopologyManager([slots])
    two = pod(containers=(container("one"), container("two")))
    assert await refusal(manager, two) == Refusal(reason="OutOfSlots", message="no slot is free")
    assert slots.holders() == set()


@pytest.mark.parametrize(("scope", "nodes"), [("container", [[0], [1]]), ("pod", [[0], [0]])])
async def test_scopes(scope: str, nodes: list[list[int]], tmp_path: Path) -> None:
    slots = Slots([0, 1])
    manager = TopologyManager([slots], restricted(tmp_path), scope)
    await refusal(manager, pod(init_containers=(container("first"),)))
    assert slots.affinities == [TopologyHint(nodes=mask_of(each), preferred=True) for each in nodes]


@pytest.mark.parametrize(
    ("scope", "by_pod", "at_once"), [("container", True, False), ("pod", False, False), ("pod", True, True)]
)
async def test_a_pod_with_resources_as_a_whole(scope: str, by_pod: bool, at_once: bool, tmp_path: Path) -> None:
    slots = Slots([0, 1])
    manager = TopologyManager([slots], restricted(tmp_path), scope, by_pod=by_pod)
    whole = pod(resources=ResourceRequirements(requests={"cpu": "1"}, limits={"cpu": "1"}))
    assert await refusal(manager, whole) is None
    asked = [TopologyHint(nodes=mask_of([0]), preferred=True)]
    assert (slots.pods, slots.affinities) == ((asked, []) if at_once else ([], asked))
    apart = TopologyManager([Slots([0], "left"), Slots([1], "right")], restricted(tmp_path), scope, by_pod=by_pod)
    refused = await refusal(apart, whole)
    assert refused is not None
    assert (refused.reason, refused.message.startswith("Pod Scope pod with pod-level")) == (
        "TopologyAffinityError",
        by_pod,
    )


async def test_another_failure_is_unexpected() -> None:
    slots = Slots([0])
    slots.failure = Unavailable("the plug-in is gone")
    assert await refusal(TopologyManager([slots]), pod()) == Refusal(
        reason="UnexpectedAdmissionError",
        message="Allocate failed due to the plug-in is gone, which is unexpected",
    )


async def test_what_a_pod_had_that_has_ended_is_free_once_all_pods_are_known() -> None:
    slots = Slots([0])
    manager = TopologyManager([slots])
    assert await refusal(manager, pod("first")) is None
    assert await refusal(manager, pod("second"), read=False) is not None
    assert await refusal(manager, pod("second"), [pod("first")]) is not None
    assert await refusal(manager, pod("second")) is None
