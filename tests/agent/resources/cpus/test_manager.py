"""The manager over restarts, and the containers that have to move for others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.resources.cpus.manager import CpuManager
from podwright.agent.resources.cpus.reconciling import CpuReconciler, CpuReconcilerPorts
from podwright.agent.resources.cpus.setup import cpu_manager
from podwright.agent.resources.topology.hints import ANYWHERE
from podwright.agent.runtime.records import ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError, Unavailable
from podwright.k8s.objects import Pod
from tests.agent.fakes.observed import running
from tests.agent.fakes.pods import pod
from tests.agent.resources.cpus.test_static import guaranteed
from tests.agent.resources.topology.trees import Shape, machine

SHAPE = Shape(threads=1)


def config(root: Path, **managers: Any) -> AgentConfig:
    usual = AgentConfig()
    return replace(
        usual,
        process=replace(usual.process, root_dir=str(root)),
        managers=replace(usual.managers, **{"cpu_policy": "static", **managers}),
        reserved=replace(usual.reserved, cpus="0"),
    )


def manager(tmp_path: Path, metrics: ManagerMetrics | None = None, **managers: Any) -> CpuManager:
    (root := tmp_path / "root").mkdir(exist_ok=True)
    found = machine(tmp_path / "machine", SHAPE)
    made = cpu_manager(config(root, **managers), found, metrics or ManagerMetrics())
    made.recover()
    return made


async def let_in(to: CpuManager, wanted: Pod) -> None:
    for container in wanted.spec.containers:
        await to.allocate(wanted, container, ANYWHERE)


async def cpus(of: CpuManager, wanted: Pod) -> str:
    return (await of.allotted(wanted, wanted.spec.containers[0])).cpus


class TestManager:
    async def test_containers_are_created_with_their_cpus(self, tmp_path: Path) -> None:
        made, own, other = manager(tmp_path), guaranteed("2"), pod("other")
        await let_in(made, own)
        assert (await cpus(made, own), await cpus(made, other)) == ("1-2", "0,3")
        allotted = await made.allotted(own, own.spec.containers[0])
        assert (allotted.has_own_cpus, made.lifts_quota_of(own), made.lifts_quota_of(other)) == (True, True, False)

    async def test_a_new_agent_finds_them(self, tmp_path: Path) -> None:
        own = guaranteed("2")
        await let_in(manager(tmp_path), own)
        again = manager(tmp_path)
        assert (again.holders(), await cpus(again, own)) == ({own.metadata.uid}, "1-2")
        again.release(own.metadata.uid)
        assert await cpus(manager(tmp_path), pod()) == "0-3"

    async def test_without_the_policy_all_run_everywhere(self, tmp_path: Path) -> None:
        made, own = manager(tmp_path, cpu_policy="none"), guaranteed("2")
        await let_in(made, own)
        assert (await cpus(made, own), made.hints(own, own.spec.containers[0]), made.pod_hints(own)) == ("", {}, {})

    async def test_another_policy_needs_another_file(self, tmp_path: Path) -> None:
        manager(tmp_path, cpu_policy="none")
        message = 'configured policy "static" differs from state checkpoint policy "none".*drain this node and delete'
        with pytest.raises(FailedPrecondition, match=message):
            manager(tmp_path)

    async def test_metrics(self, tmp_path: Path) -> None:
        metrics = ManagerMetrics()
        made = manager(tmp_path, metrics)
        await let_in(made, guaranteed("2"))
        with pytest.raises(PodwrightError):
            await let_in(made, guaranteed("2", name="second"))
        assert (metrics.cpus.requests.value(), metrics.cpus.errors.value()) == (2, 1)
        assert (metrics.cpus.own_cpus.value(), metrics.cpus.shared_millicores.value()) == (2, 1000)
        assert metrics.cpus.own_cpus_by_node.value("0") == 2

    async def test_what_the_node_allots_is_counted_once(self, tmp_path: Path) -> None:
        metrics, own = ManagerMetrics(), guaranteed("2")
        made = manager(tmp_path, metrics)
        for _ in range(2):
            await let_in(made, own)
        with pytest.raises(PodwrightError):
            await let_in(made, guaranteed("2", name="second"))
        shown = exposition(metrics.families()).decode().splitlines()
        assert [line for line in shown if line.startswith("resource_manager_")] == [
            'resource_manager_allocations_total{resource_name="cpu",source="node"} 1',
            'resource_manager_allocation_errors_total{resource_name="cpu",source="node"} 1',
            'resource_manager_container_assignments{assignment_type="node_exclusive",resource_name="cpu"} 1',
        ]

    async def test_what_the_policy_needs(self, tmp_path: Path) -> None:
        found = machine(tmp_path, SHAPE)
        nothing_reserved = replace(config(tmp_path), reserved=AgentConfig().reserved)
        with pytest.raises(FailedPrecondition, match="to be greater than zero"):
            cpu_manager(nothing_reserved, found, ManagerMetrics())
        options = config(tmp_path, cpu_policy="none", cpu_policy_options={"full-pcpus-only": "true"})
        with pytest.raises(InvalidArgument, match="unsupported options: full-pcpus-only"):
            cpu_manager(options, found, ManagerMetrics())


class Machine:
    """Pods that run, and the CPUs that the runtime was told to keep their containers on."""

    def __init__(self, to: CpuManager, *pods: Pod) -> None:
        self.pods: list[Pod] | None = list(pods)
        self.moves: list[tuple[str, str]] = []
        self.failure: PodwrightError | None = None
        self._manager = to
        ports = CpuReconcilerPorts(
            manager=to, runtime=self, pods=lambda: self.pods, look=self._look, retain=self._retain
        )
        self.reconciler = CpuReconciler(ports, 10)

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        if self.failure is not None:
            raise self.failure
        assert resources == api.LinuxContainerResources(cpuset_cpus=resources.cpuset_cpus), "nothing else changes"
        self.moves.append((container_id, resources.cpuset_cpus))

    async def round(self) -> list[tuple[str, str]]:
        self.moves.clear()
        await self.reconciler.reconcile()
        return list(self.moves)

    def _look(self, uid: str) -> ObservedPod | None:
        found = next(each for each in self.pods or () if each.metadata.uid == uid)
        status = replace(running(found.spec.containers[0].name), id=f"id-{found.metadata.name}")
        return ObservedPod(uid=uid, containers=(status,))

    def _retain(self, uids: Collection[str]) -> None:
        for uid in set(self._manager.holders()) - set(uids):
            self._manager.release(uid)


class TestReconciler:
    async def test_others_leave_cpus_and_come_back(self, tmp_path: Path) -> None:
        made, own, other = manager(tmp_path), guaranteed("2", name="own"), pod("other")
        await cpus(made, other)
        here = Machine(made, other)
        assert await here.round() == [], "it was created with them"
        here.pods = [other, own]
        await let_in(made, own)
        assert await here.round() == [("id-other", "0,3"), ("id-own", "1-2")]
        assert await here.round() == [], "all are where they should be"
        here.pods = [other]
        assert await here.round() == [("id-other", "0-3")]

    async def test_an_agent_that_was_started_anew_tells_everyone_once(self, tmp_path: Path) -> None:
        here = Machine(manager(tmp_path), pod("other"))
        assert await here.round() == [("id-other", "0-3")]
        assert await here.round() == []

    async def test_nothing_is_taken_back_before_all_pods_are_known(self, tmp_path: Path) -> None:
        made, own = manager(tmp_path), guaranteed("2", name="own")
        await let_in(made, own)
        here = Machine(made)
        here.pods = None
        assert await here.round() == []
        assert made.holders() == {own.metadata.uid}

    async def test_what_fails_is_tried_again(self, tmp_path: Path) -> None:
        here = Machine(manager(tmp_path), pod("other"))
        for here.failure in (Unavailable("the runtime is away"), NotFound("it has gone")):
            assert await here.round() == []
        here.failure = None
        assert await here.round() == [("id-other", "0-3")]
