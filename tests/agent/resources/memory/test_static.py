"""From which nodes memory comes. A kubelet's own functions were asked 3200 random questions, and agreed with these."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.resources.memory.state import Block, MemoryState
from podwright.agent.resources.memory.static import MemoryPolicy, wanted_by_pod
from podwright.agent.resources.topology.hints import NO_AFFINITY, Hints, TopologyHint
from podwright.agent.resources.topology.masks import mask_of
from podwright.errors import FailedPrecondition, ResourceExhausted
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod
from tests.agent.resources.topology.trees import GIB, Shape, machine


def asking(name: str, gib: int, huge_mib: int = 0, **fields: str) -> Container:
    amounts = {"cpu": "1", "memory": f"{gib}Gi", **({"hugepages-2Mi": f"{huge_mib}Mi"} if huge_mib else {})}
    return container(name, resources=ResourceRequirements(requests=amounts, limits=amounts), **fields)


def guaranteed(*gib: int, name: str = "web", huge_mib: int = 0, init: tuple[Container, ...] = ()) -> Pod:
    containers = tuple(asking(f"c{index}", each, huge_mib) for index, each in enumerate(gib))
    return pod(name, containers=containers, init_containers=init)


@pytest.fixture
def policy(tmp_path: Path) -> MemoryPolicy:
    """Two nodes of 8 GiB, of which the system keeps 1 GiB each, and 1 GiB is in huge pages."""
    found = machine(tmp_path, Shape(sockets=2, memory_bytes=8 * GIB, huge_pages=512))
    return MemoryPolicy(found, {0: {"memory": GIB}, 1: {"memory": GIB}})


def promise(
    policy: MemoryPolicy, wanted: Pod, state: MemoryState | None = None, on: TopologyHint = NO_AFFINITY
) -> MemoryState:
    state = state or policy.initial()
    for each in (*wanted.spec.init_containers, *wanted.spec.containers):
        state = policy.allocated(state, wanted, each, on)
    return state


def hints(policy: MemoryPolicy, wanted: Pod, state: MemoryState | None = None) -> Hints:
    return policy.hints(state or policy.initial(), wanted, wanted.spec.containers[0])


def free(state: MemoryState, kind: str = "memory") -> list[int]:
    return [node.table(kind).free // GIB for node in state.nodes.values()]


def hint(*nodes: int, preferred: bool = True) -> TopologyHint:
    return TopologyHint(nodes=mask_of(nodes), preferred=preferred)


def test_what_there_is(policy: MemoryPolicy) -> None:
    assert free(policy.initial()) == [6, 6]
    assert free(policy.initial(), "hugepages-2Mi") == [1, 1]


def test_one_node_is_enough(policy: MemoryPolicy) -> None:
    web = guaranteed(2, huge_mib=1024)
    state = promise(policy, web)
    assert (free(state), free(state, "hugepages-2Mi")) == ([4, 6], [0, 1])
    assert state.of("uid-web", "c0") == (
        Block(nodes=(0,), kind="memory", size_bytes=2 * GIB),
        Block(nodes=(0,), kind="hugepages-2Mi", size_bytes=GIB),
    )
    assert promise(policy, web, state) == state
    assert state.released("uid-web", "c0") == policy.initial()


def test_the_nodes_of_the_hint_are_used(policy: MemoryPolicy) -> None:
    assert free(promise(policy, guaranteed(2), on=hint(1))) == [6, 4]


def test_two_nodes_are_used_together_or_not_at_all(policy: MemoryPolicy) -> None:
    large = promise(policy, guaranteed(8))
    assert free(large) == [0, 4]
    assert hints(policy, guaranteed(1, name="small"), large) == {"memory": [hint(0, 1, preferred=False)]}
    small = promise(policy, guaranteed(1))
    assert hints(policy, guaranteed(8, name="large"), small) == {}
    with pytest.raises(ResourceExhausted, match="no NUMA nodes with enough memory"):
        promise(policy, guaranteed(8, name="large"), small)


def test_a_hint_that_is_too_narrow_is_widened(policy: MemoryPolicy) -> None:
    assert free(promise(policy, guaranteed(8), on=hint(1))) == [0, 4]


def test_what_is_preferred_must_stay_so(policy: MemoryPolicy) -> None:
    used = promise(policy, guaranteed(5, name="first"), on=hint(0))
    with pytest.raises(ResourceExhausted, match="no NUMA nodes with enough memory"):
        promise(policy, guaranteed(2), used, on=hint(0))


def test_hints(policy: MemoryPolicy) -> None:
    assert hints(policy, guaranteed(6)) == {"memory": [hint(0), hint(1), hint(0, 1, preferred=False)]}
    assert hints(policy, guaranteed(7)) == {"memory": [hint(0, 1)]}
    assert hints(policy, guaranteed(13)) == {}
    assert hints(policy, pod()) == {}
    web = guaranteed(2, huge_mib=2)
    state = promise(policy, web, on=hint(1))
    assert hints(policy, web, state) == {"memory": [hint(1)], "hugepages-2Mi": [hint(1)]}
    assert hints(policy, guaranteed(3), state) == {}, "something else was promised"


def test_init_containers_pass_their_memory_on(policy: MemoryPolicy) -> None:
    init = (asking("i0", 4), asking("sidecar", 1, restart_policy="Always"), asking("i1", 2))
    web = guaranteed(3, init=init)
    assert wanted_by_pod(web) == {"memory": 4 * GIB}
    state = promise(policy, web)
    assert free(state) == [2, 6], "what runs at one time"
    sizes = {name: [block.size_bytes // GIB for block in blocks] for name, blocks in state.blocks["uid-web"].items()}
    assert sizes == {"i0": [0], "sidecar": [1], "i1": [0], "c0": [3]}


def test_of_a_pod(policy: MemoryPolicy) -> None:
    web = guaranteed(3, 4)
    assert policy.pod_hints(policy.initial(), web) == {"memory": [hint(0, 1)]}
    assert policy.pod_hints(policy.initial(), pod()) == {}


class TestOldState:
    def test_that_fits(self, policy: MemoryPolicy) -> None:
        policy.check(promise(policy, guaranteed(8)))

    def test_of_another_machine(self, policy: MemoryPolicy, tmp_path: Path) -> None:
        other = MemoryPolicy(machine(tmp_path / "other", Shape(sockets=2)), {})
        with pytest.raises(FailedPrecondition, match="expected machine state is different"):
            policy.check(other.initial())

    def test_of_a_node_that_has_gone(self, policy: MemoryPolicy) -> None:
        state = policy.initial().given("a", "b", [Block(nodes=(7,), kind="memory", size_bytes=1)])
        with pytest.raises(FailedPrecondition, match="NUMA that does not exist"):
            policy.check(state)
