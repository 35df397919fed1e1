"""Statuses at an API server: what is written, when, and when the pod's object goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from podwright.agent.pods.registry import PodRegistry
from podwright.agent.status.manager import VersionedStatus, Watcher
from podwright.agent.status.writer import PENDING_WAIT_S, StatusWriter, WriterPorts
from podwright.k8s.objects import Pod, PodCondition, PodStatus
from tests.agent.fakes.direct import DirectApi, settle
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.harness.apiserver.server import ApiServer


class Statuses:
    """A table of statuses."""

    def __init__(self) -> None:
        self.entries: dict[str, VersionedStatus] = {}
        self._watchers: list[Watcher] = []

    def newest(self, uid: str) -> VersionedStatus | None:
        return self.entries.get(uid)

    def all(self) -> list[VersionedStatus]:
        return list(self.entries.values())

    def on_change(self, watcher: Watcher) -> Callable[[], None]:
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def set(self, owner: Pod, status: PodStatus, *, is_finished: bool = False) -> None:
        metadata = owner.metadata
        entry = VersionedStatus(
            uid=metadata.uid,
            namespace=metadata.namespace,
            name=metadata.name,
            status=status,
            shown=status,
            version=1,
            is_finished=is_finished,
        )
        self.entries[metadata.uid] = entry
        for watcher in self._watchers:
            watcher(entry)


class World:
    """A server, a writer, and what the watch has brought."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        self.registry = PodRegistry()
        self.statuses = Statuses()
        self.running: set[str] = set()
        self.clock = VirtualClock()
        self.took: list[float] = []

    def add(self, asked: Pod) -> Pod:
        """Bind a pod to this node; the pod as the server has it."""
        stored: Pod = self.server.put(asked)
        self.registry.put(stored)
        return stored

    def see(self, name: str = "web") -> Pod:
        """The watch brings the newest version."""
        found: Pod = self.server.get(Pod, name, "default")
        self.registry.put(found)
        return found

    @property
    def shown(self) -> PodStatus:
        found: Pod = self.server.get(Pod, "web", "default")
        return found.status

    def writes(self) -> list[str]:
        found = [request for request in self.api.requests if not request.startswith(("list", "watch"))]
        self.api.requests.clear()
        return found

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        ports = WriterPorts(
            server=self.api,
            statuses=self.statuses,
            registry=self.registry,
            may_run=self.running.__contains__,
            clock=self.clock,
            took=self.took.append,
        )
        task = asyncio.create_task(StatusWriter(ports).run())
        await settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


def running(reason: str = "") -> PodStatus:
    return PodStatus(phase="Running", reason=reason, conditions=(PodCondition(type="Ready", status="True"),))


def test_a_change_is_written_at_once_and_only_once() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            world.statuses.set(web, running())
            await settle()
            assert world.shown.phase == "Running"
            assert world.writes() == ["patch pods web/status"]
            await asyncio.sleep(60)
            assert world.writes() == []

    run_virtual(scenario())


def test_ready_pods_are_written_before_pods_that_only_begin() -> None:
    async def scenario() -> None:
        world = World()
        pods = [world.add(pod(name=f"web-{number}", uid=f"uid-{number}")) for number in range(4)]
        async with world.writing():
            for each in pods:
                world.statuses.set(each, PodStatus(phase="Pending", reason="Begins"))
            for each in pods[2:]:
                world.statuses.set(each, running())
            await settle()
            assert world.writes() == [f"patch pods web-{number}/status" for number in (2, 3)]
            world.statuses.set(pods[0], running())
            await asyncio.sleep(PENDING_WAIT_S)
            await settle()
            assert world.writes() == [f"patch pods web-{number}/status" for number in (0, 1)]

    run_virtual(scenario())


def test_what_others_write_stays() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        foreign = PodCondition(type="example.com/gate", status="True")
        world.server.put(replace(web, status=replace(web.status, conditions=(foreign,))))
        async with world.writing():
            world.statuses.set(web, running())  # the watch has not brought the foreign condition yet
            await settle()
            assert {condition.type for condition in world.shown.conditions} == {"example.com/gate", "Ready"}

    run_virtual(scenario())


def test_the_next_write_builds_on_the_answer_to_the_last_one() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            world.statuses.set(web, running("First"))
            await settle()
            world.statuses.set(web, running())  # the watch still shows a status without a reason
            await settle()
            assert world.shown.reason == ""

    run_virtual(scenario())


def test_what_somebody_else_changes_is_put_right() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            world.statuses.set(web, running())
            await settle()
            world.server.put(replace(world.see(), status=PodStatus(phase="Pending")))
            world.see()
            await asyncio.sleep(15)
            assert world.shown.phase == "Running"

    run_virtual(scenario())


def test_a_status_that_a_restored_backup_does_not_have_is_written_again() -> None:
    """The versions of its objects are older than that of the last answer."""

    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            for reason in ("First", "Second", ""):
                world.statuses.set(web, running(reason))
                await settle()
            world.see()
            await asyncio.sleep(15)
            world.server.store.reset(empty=False)
            world.server.put(replace(world.see(), status=PodStatus(phase="Pending")))
            world.see()
            await asyncio.sleep(15)
            assert world.shown.phase == "Running"

    run_virtual(scenario())


def test_a_server_that_is_down_gets_the_newest_status_later() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            world.api.fail = True
            world.statuses.set(web, running("Old"))
            await asyncio.sleep(30)
            tries = len(world.writes())
            assert 3 <= tries <= 12
            world.statuses.set(web, running("New"))
            world.api.fail = False
            await asyncio.sleep(10)
            assert world.shown.reason == "New"

    run_virtual(scenario())


def test_an_end_is_held_back_while_containers_may_run() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        async with world.writing():
            world.running.add(web.metadata.uid)
            world.statuses.set(web, running())
            await settle()
            world.statuses.set(web, PodStatus(phase="Failed"))
            await settle()
            assert world.shown.phase == "Running"
            world.running.clear()
            await asyncio.sleep(15)
            assert world.shown.phase == "Failed"

    run_virtual(scenario())


class TestDeletion:
    def deleted(self, world: World) -> Pod:
        world.add(pod(node_name="node-a"))
        options: dict[str, Any] = {"gracePeriodSeconds": 30}
        target = world.server._target("v1", "Pod", {"name": "web", "namespace": "default"})
        world.server.api.delete(target, options)
        return world.see()

    def test_the_object_goes_last(self) -> None:
        async def scenario() -> None:
            world = World()
            web = self.deleted(world)
            async with world.writing():
                world.statuses.set(web, PodStatus(phase="Succeeded"))
                await settle()
                assert world.writes() == ["patch pods web/status"]
                world.statuses.set(web, PodStatus(phase="Succeeded"), is_finished=True)
                await settle()
                assert world.writes() == ["delete pods web"]
                assert world.server.get(Pod, "web", "default") is None

        run_virtual(scenario())

    def test_a_pod_of_the_same_name_is_left_alone(self) -> None:
        async def scenario() -> None:
            world = World()
            web = self.deleted(world)
            world.server.remove(Pod, "web", "default")
            world.server.put(replace(pod(), metadata=replace(pod().metadata, uid="")))
            async with world.writing():
                world.statuses.set(web, PodStatus(phase="Succeeded"), is_finished=True)
                await asyncio.sleep(30)
                found = world.server.get(Pod, "web", "default")
                assert found.metadata.uid != web.metadata.uid
                assert found.status.phase != "Succeeded"

        run_virtual(scenario())


def test_a_static_pods_status_goes_to_its_mirror() -> None:
    async def scenario() -> None:
        world = World()
        static = pod(source="file", uid="hash")
        world.registry.put(static)
        annotations = {**static.metadata.annotations, "kubernetes.io/config.mirror": "hash"}
        mirror = replace(static, metadata=replace(static.metadata, uid="", annotations=annotations))
        async with world.writing():
            world.statuses.set(static, running())
            await settle()
            assert world.writes() == []
            await asyncio.sleep(1)
            world.add(mirror)
            await asyncio.sleep(15)
            assert world.shown.phase == "Running"
            [took] = world.took
            assert 1 < took <= 16

    run_virtual(scenario())


def test_a_new_mirror_is_written_to_while_other_pods_change() -> None:
    async def scenario() -> None:
        world = World()
        static = pod(source="file", uid="hash")
        world.registry.put(static)
        busy = world.add(pod(name="busy", uid="busy"))
        annotations = {**static.metadata.annotations, "kubernetes.io/config.mirror": "hash"}
        async with world.writing():
            world.statuses.set(static, running())
            await settle()
            world.add(replace(static, metadata=replace(static.metadata, uid="", annotations=annotations)))
            for second in range(15):
                world.statuses.set(busy, running(reason=str(second)))
                await asyncio.sleep(1)
            assert world.shown.phase == "Running"

    run_virtual(scenario())


def test_a_pod_that_is_gone_is_no_problem() -> None:
    async def scenario() -> None:
        world = World()
        web = world.add(pod())
        world.server.remove(Pod, "web", "default")
        async with world.writing():
            world.statuses.set(web, running())
            await asyncio.sleep(30)
            assert len(world.writes()) <= 5

    run_virtual(scenario())
