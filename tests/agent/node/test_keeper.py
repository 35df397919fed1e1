"""A node at an API server: registered, reported, and its lease."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace
from msgspec.structs import replace as changed

from podwright.agent.node.current import CurrentNode
from podwright.agent.node.keeper import SETTLE_LOOKS, SETTLE_PAUSE_S, KeeperPorts, KeeperSettings, NodeKeeper
from podwright.agent.node.lease import NAMESPACE, NodeLease
from podwright.agent.node.object import NodeFindings, new_node
from podwright.errors import Unavailable
from podwright.k8s.objects import Lease, Node, NodeCondition, NodeSpec, NodeStatus, ObjectMeta
from tests.agent.fakes.direct import DirectApi, settle
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.node.test_object import MACHINE, findings
from tests.harness.apiserver.server import ApiServer


class World:
    """A server and a node that is to join it."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        self.node = CurrentNode(new_node("node-a", findings(), {"zone": "a"}, [], ""))
        self.clock = VirtualClock()
        self.events = RecordedEvents()
        self.findings = findings()
        self.cidrs: list[str] = []
        self.runtime_is_away = False
        self.registered = 0
        self.keeper = NodeKeeper(
            KeeperPorts(
                server=self.api,
                node=self.node,
                findings=self._findings,
                set_pod_cidr=self._set_pod_cidr,
                on_registered=self._on_registered,
                events=self.events,
                clock=self.clock,
            ),
            KeeperSettings(),
        )

    async def _findings(self) -> NodeFindings:
        return self.findings

    async def _set_pod_cidr(self, cidr: str) -> None:
        if self.runtime_is_away:
            raise Unavailable("no process listens")
        self.cidrs.append(cidr)

    def _on_registered(self) -> None:
        self.registered += 1

    @property
    def shown(self) -> Node:
        found: Node = self.server.get(Node, "node-a")
        return found

    def ready(self) -> str:
        return next(each.status for each in self.shown.status.conditions if each.type == "Ready")

    def writes(self) -> list[str]:
        found, self.api.requests = self.api.requests, []
        return found

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        async with running(self.keeper.run()):
            yield


@contextlib.asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    await settle()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_a_new_node_is_registered_and_reported() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            assert world.shown.metadata.labels["zone"] == "a"
            assert world.ready() == "True"
            assert world.registered == 1
            assert world.node.node.metadata.uid == world.shown.metadata.uid
            assert world.node.is_registered

    run_virtual(scenario())


def test_a_node_that_exists_is_taken_over() -> None:
    async def scenario() -> None:
        world = World()
        world.server.put(Node(metadata=ObjectMeta(name="node-a", labels={"team": "x", "zone": "b"})))
        async with world.keeping():
            assert world.shown.metadata.labels["team"] == "x"
            assert world.shown.metadata.labels["zone"] == "a"
            assert world.ready() == "True"

    run_virtual(scenario())


def test_a_size_of_huge_pages_that_has_gone_is_removed() -> None:
    async def scenario() -> None:
        world = World()
        status = NodeStatus(capacity={"hugepages-3Mi": "9Mi", "example.com/gpu": "2"})
        world.server.put(Node(metadata=ObjectMeta(name="node-a"), status=status))
        async with world.keeping():
            assert "hugepages-3Mi" not in world.shown.status.capacity
            assert world.shown.status.capacity["example.com/gpu"] == "2"

    run_virtual(scenario())


def restarted(problem: str) -> World:
    """An agent that starts for a node that is shown as ready."""
    world = World()
    status = NodeStatus(conditions=(NodeCondition(type="Ready", status="True"),))
    world.server.put(Node(metadata=ObjectMeta(name="node-a"), status=status))
    world.findings = changed(world.findings, problems=(problem,))
    return world


def test_a_ready_node_stays_ready_while_the_agent_starts() -> None:
    async def scenario() -> None:
        world = restarted("CSINode is not yet initialized")
        assert world.ready() == "True"
        async with world.keeping():
            await asyncio.sleep(1)
            assert world.registered == 1
            world.findings = findings()
            await asyncio.sleep(10)
            assert world.ready() == "True"
            assert "NodeNotReady" not in world.events.reasons()

    run_virtual(scenario())


def test_a_problem_that_stays_is_shown_soon() -> None:
    async def scenario() -> None:
        world = restarted("container runtime is down")
        async with world.keeping():
            await asyncio.sleep(SETTLE_LOOKS * SETTLE_PAUSE_S + 1)
            assert world.ready() == "False"

    run_virtual(scenario())


def test_a_server_that_is_down_is_waited_for() -> None:
    async def scenario() -> None:
        world = World()
        world.api.fail = True
        async with world.keeping():
            await asyncio.sleep(30)
            assert not world.node.is_registered
            assert len(world.writes()) < 20
            world.api.fail = False
            await asyncio.sleep(8)
            assert world.ready() == "True"

    run_virtual(scenario())


def test_a_status_that_stays_is_written_now_and_then() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            world.writes()
            await asyncio.sleep(1000)
            assert 2 <= len(world.writes()) <= 8

    run_virtual(scenario())


def test_a_change_is_written_at_once() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            world.findings = changed(world.findings, problems=("the runtime is down",))
            world.keeper.look_again()
            await settle()
            assert world.ready() == "False"
            assert world.events.reasons()[-1] == "NodeNotReady"
            world.findings = changed(world.findings, problems=())
            await asyncio.sleep(11)
            assert world.ready() == "True"

    run_virtual(scenario())


def test_labels_of_the_platform_that_somebody_changed_are_put_back() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            changes = {"kubernetes.io/os": "plan9", "kubernetes.io/arch": "mips", "zone": "b"}
            wrong = {**world.shown.metadata.labels, **changes}
            metadata = replace(world.shown.metadata, labels=wrong)
            world.node.take(world.server.put(replace(world.shown, metadata=metadata)))
            await asyncio.sleep(11)
            labels = world.shown.metadata.labels
            assert (labels["kubernetes.io/os"], labels["kubernetes.io/arch"]) == ("linux", MACHINE.architecture)
            assert labels["zone"] == "b"

    run_virtual(scenario())


def test_the_runtime_hears_of_the_range_of_pod_addresses_once() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            node = world.shown
            ranges = NodeSpec(pod_cidr="10.1.0.0/24", pod_cidrs=("10.1.0.0/24", "fd00::/64"))
            world.node.take(world.server.put(replace(node, spec=ranges)))
            world.keeper.look_again()
            await asyncio.sleep(30)
            assert world.cidrs == ["10.1.0.0/24,fd00::/64"]

    run_virtual(scenario())


def test_a_runtime_that_does_not_take_the_range_does_not_hide_the_node_s_state() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            world.runtime_is_away = True
            world.node.take(world.server.put(replace(world.shown, spec=NodeSpec(pod_cidr="10.1.0.0/24"))))
            world.findings = changed(world.findings, problems=("the runtime is down",))
            await asyncio.sleep(11)
            assert world.ready() == "False"
            assert world.cidrs == []
            world.runtime_is_away = False
            await asyncio.sleep(11)
            assert world.cidrs == ["10.1.0.0/24"]

    run_virtual(scenario())


def test_a_node_that_was_deleted_is_not_made_anew() -> None:
    async def scenario() -> None:
        world = World()
        async with world.keeping():
            world.server.remove(Node, "node-a")
            await asyncio.sleep(400)
            assert world.server.get(Node, "node-a") is None

    run_virtual(scenario())


class TestLease:
    def lease(self, world: World) -> NodeLease:
        return NodeLease(world.api, world.node, world.clock, world.events, duration_s=40)

    def shown(self, world: World) -> Lease:
        found: Lease = world.server.get(Lease, "node-a", NAMESPACE)
        return found

    def test_it_is_renewed_four_times_in_its_duration(self) -> None:
        async def scenario() -> None:
            world = World()
            async with world.keeping(), running(self.lease(world).run()):
                first = self.shown(world).spec
                world.writes()
                await asyncio.sleep(41)
                assert first is not None
                assert first.renew_time is not None
                assert (first.holder_identity, first.lease_duration_seconds) == ("node-a", 40)
                now = self.shown(world)
                assert now.spec is not None
                assert now.spec.renew_time is not None
                assert 39 <= (now.spec.renew_time - first.renew_time).total_seconds() <= 41
                assert now.metadata.owner_references[0].uid == world.shown.metadata.uid
                assert world.writes().count("update leases node-a") == 4

        run_virtual(scenario())

    def test_one_that_somebody_changed_or_deleted_is_renewed_all_the_same(self) -> None:
        async def scenario() -> None:
            world = World()
            async with running(self.lease(world).run()):
                lease = self.shown(world)
                world.server.put(replace(lease, metadata=replace(lease.metadata, labels={"a": "b"})))
                await asyncio.sleep(11)
                assert self.shown(world).metadata.labels == {"a": "b"}
                assert self.shown(world).spec != lease.spec
                world.server.remove(Lease, "node-a", NAMESPACE)
                await asyncio.sleep(11)
                assert self.shown(world).spec is not None

        run_virtual(scenario())

    def test_another_agent_of_the_same_name_is_named(self) -> None:
        async def scenario() -> None:
            world, other = World(), World()
            other.api = world.api
            async with running(self.lease(world).run()):
                await asyncio.sleep(25)
                assert world.events.reasons() == []
                async with running(self.lease(other).run()):
                    await asyncio.sleep(11)
                    assert world.events.reasons() == ["NodeNameNotUnique"]
                world.events.seen.clear()
                await asyncio.sleep(25)
                assert world.events.reasons() == ["NodeNameNotUnique"]

        run_virtual(scenario())

    def test_a_renewal_whose_answer_was_lost_is_no_other_agent_s(self) -> None:
        async def scenario() -> None:
            world = World()
            async with running(self.lease(world).run()):
                world.api.lose_answers = True
                await asyncio.sleep(11)
                assert self.shown(world).spec is not None
                world.api.lose_answers = False
                await asyncio.sleep(30)
                assert world.events.reasons() == []

        run_virtual(scenario())

    def test_a_server_that_is_down_is_asked_less_and_less(self) -> None:
        async def scenario() -> None:
            world = World()
            world.api.fail = True
            async with running(self.lease(world).run()):
                await asyncio.sleep(60)
                assert len(world.writes()) < 20
                world.api.fail = False
                await asyncio.sleep(8)
                assert self.shown(world).spec is not None

        run_virtual(scenario())
