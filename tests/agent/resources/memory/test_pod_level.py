"""Memory of pods that have resources as a whole (the gate PodLevelResourceManagers)."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.memory.manager import MemoryManager
from podwright.agent.resources.memory.state import MemoryState
from podwright.agent.resources.memory.static import MemoryPolicy
from podwright.agent.resources.topology.hints import NO_AFFINITY
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod
from tests.agent.resources.memory.test_static import asking, free, hint
from tests.agent.resources.topology.trees import GIB, Shape, machine


def as_one(gib: int, *containers: Container, init: tuple[Container, ...] = (), huge_mib: int = 0) -> Pod:
    amounts = {"cpu": "1", "memory": f"{gib}Gi", **({"hugepages-2Mi": f"{huge_mib}Mi"} if huge_mib else {})}
    resources = ResourceRequirements(requests=amounts, limits=amounts)
    return pod(containers=containers, init_containers=init, resources=resources)


def policy(tmp_path: Path, *, by_pod: bool = True) -> MemoryPolicy:
    found = machine(tmp_path / "machine", Shape(sockets=2, memory_bytes=8 * GIB, huge_pages=512))
    return MemoryPolicy(found, {0: {"memory": GIB}, 1: {"memory": GIB}}, by_pod=by_pod)


def manager(tmp_path: Path, metrics: ManagerMetrics | None = None) -> MemoryManager:
    (tmp_path / "root").mkdir(exist_ok=True)
    made = MemoryManager(policy(tmp_path), str(tmp_path / "root"), metrics or ManagerMetrics())
    made.recover()
    return made


def parts(state: MemoryState) -> dict[str, list[int]]:
    return {
        name: [each.size_bytes // GIB for each in found] for name, found in state.blocks.get("uid-web", {}).items()
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (as_one(3, container("a")), {"a": [3]}),
        (as_one(3, asking("a", 3)), {"a": [3]}),
        (as_one(4, asking("a", 1), container("b")), {"a": [1], "b": [3]}),
        (
            as_one(4, asking("a", 1), container("b"), init=(asking("i", 2), container("j"))),
            {"i": [2], "j": [4], "a": [1], "b": [3]},
        ),
        (
            as_one(4, container("a"), init=(asking("s", 1, restart_policy="Always"), container("i"))),
            {"s": [1], "i": [3], "a": [3]},
        ),
        (as_one(2, container("a"), huge_mib=1024), {"a": [2, 1]}),
    ],
    ids=["all share", "one has all", "some share", "init containers", "a sidecar", "huge pages"],
)
def test_a_pod_is_promised_its_memory_at_once(asked: Pod, expected: dict[str, list[int]], tmp_path: Path) -> None:
    static = policy(tmp_path)
    state = static.allocated_pod(static.initial(), asked, NO_AFFINITY)
    assert parts(state) == expected
    assert asked.spec.resources is not None
    assert free(state) == [6 - int(asked.spec.resources.requests["memory"].removesuffix("Gi")), 6]
    static.check(state)
    assert static.allocated_pod(state, asked, NO_AFFINITY) == state
    names = list(state.blocks["uid-web"])
    assert free(state.released("uid-web", *names[1:])) == free(state)
    assert state.released("uid-web", *names) == static.initial()


def test_hints_and_refusals(tmp_path: Path) -> None:
    static = policy(tmp_path)
    usual, nothing_left = as_one(2, container("a")), as_one(2, asking("a", 2), container("b"))
    assert static.pod_hints(static.initial(), usual) == {"memory": [hint(0), hint(1), hint(0, 1, preferred=False)]}
    state = static.allocated_pod(static.initial(), usual, hint(1))
    assert free(state) == [6, 4]
    assert static.pod_hints(state, usual) == {"memory": [hint(1)]}
    assert static.pod_hints(static.initial(), nothing_left) == {"memory": []}
    with pytest.raises(NotAdmitted, match="leaving no memory for shared containers"):
        static.allocated_pod(static.initial(), nothing_left, NO_AFFINITY)
    without = policy(tmp_path, by_pod=False)
    assert without.pod_hints(without.initial(), usual) == {}
    assert without.allocated_pod(without.initial(), usual, NO_AFFINITY) == without.initial()


async def test_a_new_agent_finds_it(tmp_path: Path) -> None:
    metrics = ManagerMetrics()
    mixed = as_one(4, asking("a", 1), container("b"), init=(container("i"),))
    await manager(tmp_path, metrics).allocate_pod(mixed, hint(1))
    again = manager(tmp_path)
    assert [(await again.allotted(mixed, each)).memory_nodes for each in mixed.spec.containers] == ["1", "1"]
    assert [[each.size_bytes // GIB for each in again.own_memory("uid-web", name)] for name in "iab"] == [
        [4],
        [1],
        [3],
    ]
    assert metrics.allotments.allocations.value("memory", "pod") == 3
    assert [metrics.allotments.holders.value("memory", kind) for kind in ("pod_exclusive", "pod_shared")] == [1, 2]
    again.release("uid-web")
    assert manager(tmp_path).holders() == set()
