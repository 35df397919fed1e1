"""The memory manager over restarts, and what its configuration must say."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.machine_sections import MemoryReservation
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.resources.memory.manager import MemoryManager
from podwright.agent.resources.memory.setup import memory_manager
from podwright.agent.resources.pod_resources.shares import MemoryShare
from podwright.agent.resources.topology.hints import NO_AFFINITY
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Pod
from podwright.k8s.quantity import parse, parse_nano
from tests.agent.fakes.pods import pod
from tests.agent.resources.memory.test_static import asking, guaranteed
from tests.agent.resources.topology.trees import GIB, Shape, machine


def config(root: Path, policy: str, **gib: str) -> AgentConfig:
    usual = AgentConfig()
    reserved = tuple(
        MemoryReservation(numa_node=int(node.removeprefix("node")), limits_nano={"memory": parse_nano(text)})
        for node, text in gib.items()
    )
    return replace(
        usual,
        process=replace(usual.process, root_dir=str(root)),
        managers=replace(usual.managers, memory_policy=policy),
        reserved=replace(usual.reserved, memory=reserved),
    )


def manager(tmp_path: Path, policy: str = "Static", metrics: ManagerMetrics | None = None) -> MemoryManager:
    found = machine(tmp_path / "machine", Shape(sockets=2, memory_bytes=8 * GIB))
    (tmp_path / "root").mkdir(exist_ok=True)
    settings = config(tmp_path / "root", policy, node0="1Gi", node1="512Mi")
    made = memory_manager(settings, found, {"memory": parse("1536Mi")}, metrics or ManagerMetrics())
    made.recover()
    return made


async def let_in(to: MemoryManager, wanted: Pod) -> None:
    for each in (*wanted.spec.init_containers, *wanted.spec.containers):
        await to.allocate(wanted, each, NO_AFFINITY)


async def test_a_new_agent_finds_what_was_promised(tmp_path: Path) -> None:
    web, metrics = guaranteed(2), ManagerMetrics()
    await let_in(manager(tmp_path, metrics=metrics), web)
    again = manager(tmp_path)
    assert (await again.allotted(web, web.spec.containers[0])).memory_nodes == "0"
    assert (await again.allotted(pod("other"), pod().spec.containers[0])).memory_nodes == ""
    assert again.own_memory("uid-web", "c0") == [MemoryShare(kind="memory", size_bytes=2 * GIB, nodes=(0,))]
    assert (again.holders(), metrics.memory.requests.value()) == ({"uid-web"}, 1)
    again.release("uid-web")
    assert manager(tmp_path).holders() == set()


async def test_memory_of_init_containers_is_free_once_they_have_ended(tmp_path: Path) -> None:
    made, web = manager(tmp_path), guaranteed(2, init=(asking("first", 6),))
    await let_in(made, web)
    assert made.own_memory("uid-web", "first") == [MemoryShare(kind="memory", size_bytes=4 * GIB, nodes=(0,))]
    await made.allotted(web, web.spec.containers[0])
    assert made.own_memory("uid-web", "first") == []
    assert made.own_memory("uid-web", "c0") == [MemoryShare(kind="memory", size_bytes=2 * GIB, nodes=(0,))]


async def test_what_the_node_allots_is_counted_once(tmp_path: Path) -> None:
    metrics, web = ManagerMetrics(), guaranteed(2)
    made = manager(tmp_path, metrics=metrics)
    for _ in range(2):
        await let_in(made, web)
    with pytest.raises(PodwrightError):
        await let_in(made, guaranteed(100, name="large"))
    shown = exposition(metrics.families()).decode().splitlines()
    assert [line for line in shown if line.startswith("resource_manager_")] == [
        'resource_manager_allocations_total{resource_name="memory",source="node"} 1',
        'resource_manager_allocation_errors_total{resource_name="memory",source="node"} 1',
        'resource_manager_container_assignments{assignment_type="node_exclusive",resource_name="memory"} 1',
    ]


async def test_without_the_policy(tmp_path: Path) -> None:
    made, web = manager(tmp_path, "None"), guaranteed(2)
    await let_in(made, web)
    assert (made.hints(web, web.spec.containers[0]), made.pod_hints(web), made.allocatable_memory()) == ({}, {}, [])
    with pytest.raises(FailedPrecondition, match="memory manager checkpoint file"):
        manager(tmp_path)


@pytest.mark.parametrize(
    ("reserved", "total", "message"),
    [
        ({"node7": "1Gi"}, "1Gi", "NUMA node 7 that does not exist"),
        ({"node0": "1Gi"}, "2Gi", "is not equal to the value"),
        ({}, "0", "should specify the system reserved memory"),
    ],
)
def test_what_the_policy_needs(reserved: dict[str, str], total: str, message: str, tmp_path: Path) -> None:
    found = machine(tmp_path, Shape())
    with pytest.raises(FailedPrecondition, match=message):
        memory_manager(config(tmp_path, "Static", **reserved), found, {"memory": parse(total)}, ManagerMetrics())
