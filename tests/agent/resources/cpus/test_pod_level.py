"""CPUs of pods that have resources as a whole (the gate PodLevelResourceManagers)."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.cpus.layout import CpuLayout
from podwright.agent.resources.cpus.manager import CpuManager
from podwright.agent.resources.cpus.options import CpuOptions
from podwright.agent.resources.cpus.static import StaticPolicy
from podwright.agent.resources.topology.hints import ANYWHERE, TopologyHint
from podwright.agent.resources.topology.masks import mask_of
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from podwright.linux.cpu_lists import parse, spelt
from tests.agent.fakes.pods import container, pod
from tests.agent.resources.cpus.test_static import asking
from tests.agent.resources.topology.trees import Shape, machine

EIGHT = Shape(threads=1, cores_per_node=8)


def as_one(cpus: str, *containers: Container, init: tuple[Container, ...] = (), name: str = "web") -> Pod:
    whole = {"cpu": cpus, "memory": "1Gi"}
    resources = ResourceRequirements(requests=whole, limits=whole)
    return pod(name, containers=containers, init_containers=init, resources=resources)


def policy(tmp_path: Path, *, by_pod: bool = True) -> StaticPolicy:
    return StaticPolicy(CpuLayout(machine(tmp_path, EIGHT)), parse("0"), CpuOptions(), by_pod=by_pod)


def manager(tmp_path: Path, metrics: ManagerMetrics | None = None) -> CpuManager:
    (tmp_path / "root").mkdir(exist_ok=True)
    layout = CpuLayout(machine(tmp_path / "machine", EIGHT))
    asked = StaticPolicy(layout, parse("0"), CpuOptions(), by_pod=True)
    made = CpuManager(layout, asked, str(tmp_path / "root"), metrics or ManagerMetrics())
    made.recover()
    return made


@pytest.mark.parametrize(
    ("asked", "shared", "parts"),
    [
        (as_one("2", container("a")), "0,3-7", {"a": "1-2"}),
        (as_one("2", asking("a", "2")), "0,3-7", {"a": "1-2"}),
        (as_one("3", asking("a", "1"), asking("b", "1"), container("c")), "0,4-7", {"a": "1", "b": "2", "c": "3"}),
        (
            as_one("3", asking("a", "1"), container("b"), init=(asking("i", "2"), container("j"))),
            "0,4-7",
            {"i": "1-2", "j": "1-3", "a": "1", "b": "2-3"},
        ),
        (
            as_one("4", asking("a", "1"), container("b"), init=(asking("s", "1", restart_policy="Always"),)),
            "0,5-7",
            {"s": "1", "a": "2", "b": "3-4"},
        ),
        (
            as_one("2", container("a"), init=(container("s", restart_policy="Always"),)),
            "0,3-7",
            {"s": "1-2", "a": "1-2"},
        ),
        (as_one("1500m", asking("a", "1")), "0-7", {}),
    ],
    ids=[
        "all share",
        "one has all",
        "some share",
        "init containers",
        "a sidecar",
        "a sidecar shares",
        "no whole CPUs",
    ],
)
def test_a_pod_gets_its_cpus_at_once(asked: Pod, shared: str, parts: dict[str, str], tmp_path: Path) -> None:
    static = policy(tmp_path)
    state = static.allocated_pod(static.initial(), asked, ANYWHERE)
    found = {name: spelt(cpus) for name, cpus in state.own.get("uid-web", {}).items()}
    assert (spelt(state.shared), found) == (shared, parts)
    static.check(state)
    assert static.allocated_pod(state, asked, ANYWHERE) == state
    assert state.released("uid-web") == static.initial()


def test_hints_and_refusals(tmp_path: Path) -> None:
    static = policy(tmp_path)
    usual, nothing_left = as_one("2", container("a")), as_one("2", asking("a", "2"), container("b"))
    only = [TopologyHint(nodes=mask_of([0]), preferred=True)]
    assert static.pod_hints(static.initial(), usual) == only
    assert static.pod_hints(static.allocated_pod(static.initial(), usual, ANYWHERE), usual) == only
    assert static.pod_hints(static.initial(), nothing_left) == []
    with pytest.raises(NotAdmitted, match="leaving no cpus for shared containers"):
        static.allocated_pod(static.initial(), nothing_left, ANYWHERE)
    without = policy(tmp_path, by_pod=False)
    assert without.pod_hints(without.initial(), usual) is None
    assert without.allocated_pod(without.initial(), usual, ANYWHERE) == without.initial()


def test_by_container_only_those_that_are_guaranteed_alone_get_some(tmp_path: Path) -> None:
    asked = as_one("3", asking("a", "1"), container("b"))
    assert [policy(tmp_path).wanted(asked, each) for each in asked.spec.containers] == [1, 0]
    assert [policy(tmp_path, by_pod=False).wanted(asked, each) for each in asked.spec.containers] == [0, 0]


async def test_a_new_agent_finds_them_and_who_shares_keeps_its_quota(tmp_path: Path) -> None:
    metrics = ManagerMetrics()
    mixed = as_one("3", asking("a", "1"), container("b"))
    await manager(tmp_path, metrics).allocate_pod(mixed, ANYWHERE)
    again = manager(tmp_path)
    found = [await again.allotted(mixed, each) for each in mixed.spec.containers]
    assert [(each.cpus, each.has_own_cpus) for each in found] == [("1", True), ("2-3", False)]
    assert not again.lifts_quota_of(mixed)
    alone = as_one("1", asking("a", "1"), name="alone")
    await again.allocate_pod(alone, ANYWHERE)
    assert again.lifts_quota_of(alone)
    assert metrics.allotments.allocations.value("cpu", "pod") == 2
    assert [metrics.allotments.holders.value("cpu", kind) for kind in ("pod_exclusive", "pod_shared")] == [1, 1]
    again.release("uid-web")
    assert manager(tmp_path).holders() == {"uid-alone"}
