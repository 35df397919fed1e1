"""The status cache follows a runtime: by its events, by relists, and from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pleg.changes import PodEvent, PodEventKind
from podwright.agent.pleg.generator import Generator
from podwright.agent.runtime.convert import observed
from podwright.agent.runtime.records import (
    CriContainerState,
    CriSandboxState,
    RuntimeEvent,
    RuntimeEventKind,
    SandboxStatus,
)
from podwright.errors import Unavailable, Unimplemented
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.runtime import FakeRuntime, Program
from tests.agent.fakes.time import VirtualClock, run_virtual


class Scene:
    """A runtime and a generator that looks at it."""

    def __init__(self, *, evented: bool = True, sends_pods: bool = True) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock, sends_pods=sends_pods)
        self.events: list[PodEvent] = []
        self.cache = StatusCache(self.runtime, self.clock, self.events.append)
        self.generator = Generator(self.runtime, self.cache, self.clock, evented=evented)

    async def start_container(self, uid: str = "uid1", name: str = "main") -> str:
        sandbox = await self.runtime.run_sandbox(sandbox_config(uid), "")
        container = await self.runtime.create_container(sandbox, container_config(name, uid), sandbox_config(uid))
        await self.runtime.start_container(container)
        return container

    def kinds(self, of: str) -> list[PodEventKind]:
        return [event.kind for event in self.events if event.id == of]


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[Scene]:
    scene.generator.start()
    await asyncio.sleep(0.01)
    try:
        yield scene
    finally:
        await scene.generator.close()


def in_scene(check: Callable[[Scene], Awaitable[None]], *, evented: bool = True, sends_pods: bool = True) -> None:
    async def run() -> None:
        async with running(Scene(evented=evented, sends_pods=sends_pods)) as scene:
            await check(scene)

    run_virtual(run())


@pytest.mark.parametrize("sends_pods", [True, False], ids=["events carry pods", "events name pods"])
def test_a_change_is_seen_at_once_by_events(sends_pods: bool) -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(0.01)
        pod = scene.cache.peek("uid1")
        assert pod is not None
        assert [status.state for status in pod.containers] == [CriContainerState.RUNNING]
        assert pod.ips == ("10.0.0.1",)
        assert scene.kinds(container)[-1] is PodEventKind.STARTED
        await scene.runtime.end("main", 3)
        await asyncio.sleep(0.01)
        assert scene.kinds(container)[-1] is PodEventKind.DIED

    in_scene(check, sends_pods=sends_pods)


@pytest.mark.parametrize("sends_pods", [True, False], ids=["events carry pods", "events name pods"])
def test_the_end_of_a_sandbox_leaves_its_containers(sends_pods: bool) -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(0.01)
        pod = scene.cache.peek("uid1")
        assert pod is not None
        await scene.runtime.stop_sandbox(pod.sandboxes[0].id)
        await asyncio.sleep(0.01)
        assert PodEventKind.REMOVED not in scene.kinds(container)
        pod = scene.cache.peek("uid1")
        assert pod is not None
        assert [status.state for status in pod.containers] == [CriContainerState.EXITED]
        assert not pod.ready_sandboxes()

    in_scene(check, sends_pods=sends_pods)


def test_a_removed_container_of_a_runtime_that_shows_pods_costs_no_question() -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(0.01)
        scene.runtime.calls.clear()
        await scene.runtime.remove_container(container)
        await asyncio.sleep(0.01)
        assert scene.kinds(container)[-1] is PodEventKind.REMOVED
        assert [name for name, _ in scene.runtime.calls] == ["remove_container"]

    in_scene(check)


def test_a_removed_sandbox_is_gone_although_its_event_names_no_pod() -> None:
    async def check(scene: Scene) -> None:
        await scene.start_container()
        await asyncio.sleep(0.01)
        (sandbox,) = await scene.runtime.sandboxes()
        scene.runtime.names_removed = False
        await scene.runtime.remove_sandbox(sandbox.id)
        await asyncio.sleep(0.01)
        assert scene.cache.peek("uid1") is None

    in_scene(check)


def test_a_change_is_seen_within_a_second_by_relists() -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(1.1)
        assert scene.kinds(container) == [PodEventKind.STARTED]

    in_scene(check, evented=False)


def test_an_idle_node_with_events_is_left_alone() -> None:
    async def check(scene: Scene) -> None:
        await scene.start_container()
        await asyncio.sleep(1)
        scene.runtime.calls.clear()
        await asyncio.sleep(250)
        assert scene.runtime.calls == []
        await asyncio.sleep(100)
        assert scene.runtime.count("sandboxes") == 1

    in_scene(check)


def test_what_happens_while_the_stream_is_broken_is_found() -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        scene.runtime.failures["events"] = [Unavailable("down")] * 3
        scene.runtime.end_streams()
        await asyncio.sleep(0.1)
        assert scene.generator.silent_s() != 0
        await scene.runtime.end("main", 1)
        await asyncio.sleep(1.1)
        assert scene.kinds(container)[-1] is PodEventKind.DIED
        await asyncio.sleep(60)
        assert scene.generator.silent_s() == 0

    in_scene(check)


def test_a_runtime_without_events_is_listed_each_second() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.failures["events"] = [Unimplemented("no events")]
        scene.runtime.end_streams()
        await asyncio.sleep(10)
        scene.runtime.calls.clear()
        await asyncio.sleep(10)
        assert scene.runtime.count("sandboxes") == 10
        assert scene.runtime.count("events") == 0

    in_scene(check)


def test_a_runtime_that_begins_a_stream_only_to_refuse_it_is_listed() -> None:
    class Refusing(FakeRuntime):
        async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
            begun.set()
            await asyncio.sleep(0)
            if self.network_ready:  # always: an async generator needs a yield after the failure
                raise Unimplemented("no events")
            yield RuntimeEvent(id="", kind=RuntimeEventKind.CREATED, pod_uid="", created_at_ns=0)

    async def run() -> None:
        scene = Scene()
        scene.runtime = Refusing(scene.clock)
        scene.cache = StatusCache(scene.runtime, scene.clock, scene.events.append)
        scene.generator = Generator(scene.runtime, scene.cache, scene.clock)
        async with running(scene):
            container = await scene.start_container()
            await asyncio.sleep(1.1)
            assert scene.kinds(container) == [PodEventKind.STARTED]

    run_virtual(run())


@pytest.mark.parametrize(("shows_sandbox", "relists"), [(True, 0), (False, 1)], ids=["foreign", "unknown"])
def test_an_event_that_names_no_pod_of_ours(shows_sandbox: bool, relists: int) -> None:
    """Somebody else's sandbox is left alone; where the pod is not known, the node is listed."""
    foreign = SandboxStatus(
        id="s9", pod_uid="", pod_name="x", pod_namespace="y", attempt=0, state=CriSandboxState.READY, created_at_ns=1
    )

    class Foreign(FakeRuntime):
        async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
            begun.set()
            await asyncio.sleep(5)
            yield RuntimeEvent(
                id="s9",
                kind=RuntimeEventKind.CREATED,
                pod_uid="",
                created_at_ns=self.clock.now_ns(),
                pod=observed("", [foreign], [], 0.0) if shows_sandbox else None,
            )
            await asyncio.sleep(3600)

    async def run() -> None:
        scene = Scene()
        scene.runtime = Foreign(scene.clock)
        scene.cache = StatusCache(scene.runtime, scene.clock, scene.events.append)
        scene.generator = Generator(scene.runtime, scene.cache, scene.clock)
        async with running(scene):
            await asyncio.sleep(4)
            before = scene.runtime.count("sandboxes")
            await asyncio.sleep(2)
            assert scene.runtime.count("sandboxes") - before == relists
            assert scene.cache.all() == []
            assert scene.events == []

    run_virtual(run())


def test_a_removed_pod_is_gone_from_the_cache() -> None:
    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(0.01)
        pod = scene.cache.peek("uid1")
        assert pod is not None
        await scene.runtime.remove_sandbox(pod.sandboxes[0].id)
        await asyncio.sleep(0.01)
        assert scene.cache.peek("uid1") is None
        assert scene.kinds(container)[-2:] == [PodEventKind.DIED, PodEventKind.REMOVED]

    in_scene(check)


def test_an_older_look_does_not_bring_a_removed_pod_back() -> None:
    async def check(scene: Scene) -> None:
        await scene.start_container()
        await asyncio.sleep(0.01)
        old = scene.cache.peek("uid1")
        assert old is not None
        await scene.runtime.remove_sandbox(old.sandboxes[0].id)
        await asyncio.sleep(0.01)
        scene.cache.put(old)
        assert scene.cache.peek("uid1") is None

    in_scene(check)


def test_a_pod_that_a_list_did_not_show_had_nothing() -> None:
    async def check(scene: Scene) -> None:
        await asyncio.sleep(301)
        scene.runtime.calls.clear()
        pod = await scene.cache.newer_than("uid1", 1.0)
        assert (pod.sandboxes, pod.containers) == ((), ())
        assert scene.runtime.calls == []
        await scene.cache.newer_than("uid1", scene.clock.monotonic())
        assert scene.runtime.count("pod_sandboxes") == 1

    in_scene(check)


def test_a_pod_that_was_listed_and_could_not_be_seen_is_looked_at() -> None:
    async def run() -> None:
        scene = Scene(evented=False)
        container = await scene.start_container()
        scene.runtime.failures["sandbox_status"] = [Unavailable("not now")]
        await asyncio.sleep(1)
        async with running(scene):
            assert scene.cache.peek("uid1") is None
            pod = await scene.cache.newer_than("uid1", 0.0)
            assert [status.id for status in pod.containers] == [container]

    run_virtual(run())


def test_a_look_that_is_new_enough_is_not_repeated() -> None:
    async def check(scene: Scene) -> None:
        before = scene.clock.monotonic()
        await scene.start_container()
        await asyncio.sleep(0.01)
        scene.runtime.calls.clear()
        await scene.cache.newer_than("uid1", before)
        assert scene.runtime.calls == []
        await scene.cache.newer_than("uid1", scene.clock.monotonic())
        assert scene.runtime.count("pod_sandboxes") == 1

    in_scene(check)


def test_callers_at_the_same_time_share_a_look() -> None:
    async def check(scene: Scene) -> None:
        await scene.start_container()
        await asyncio.sleep(0.01)
        scene.runtime.calls.clear()
        now = scene.clock.monotonic()
        await asyncio.gather(*(scene.cache.newer_than("uid1", now) for _ in range(20)))
        assert scene.runtime.count("pod_sandboxes") == 1

    in_scene(check)


def test_a_look_that_fails_is_the_caller_s_failure_and_the_next_one_works() -> None:
    async def check(scene: Scene) -> None:
        await scene.start_container()
        scene.runtime.failures["pod_sandboxes"] = [Unavailable("busy")]
        with pytest.raises(Unavailable):
            await scene.cache.newer_than("uid1", scene.clock.monotonic())
        pod = await scene.cache.newer_than("uid1", scene.clock.monotonic())
        assert len(pod.containers) == 1

    in_scene(check)


def test_a_runtime_that_is_silent_makes_the_generator_unhealthy() -> None:
    async def check(scene: Scene) -> None:
        assert scene.generator.problem() == ""
        scene.runtime.down = Unavailable("no answer")
        scene.runtime.end_streams()
        await asyncio.sleep(170)
        assert scene.generator.problem() == ""
        await asyncio.sleep(20)
        assert "PLEG is not healthy" in scene.generator.problem()
        scene.runtime.down = None
        await asyncio.sleep(2)
        assert scene.generator.problem() == ""

    in_scene(check)


def test_containers_that_crash_between_two_relists_are_seen() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=0.1, exit_code=7)]
        container = await scene.start_container()
        await asyncio.sleep(2)
        assert scene.kinds(container) == [PodEventKind.DIED]
        pod = scene.cache.peek("uid1")
        assert pod is not None
        assert pod.containers[0].exit_code == 7

    in_scene(check, evented=False)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0], ids=["forward", "back"])
def test_an_event_across_a_jump_of_the_clock(jump_s: float) -> None:
    """How old the event is cannot be known: the pod is looked at, and the event's own picture of it counts nothing."""

    async def check(scene: Scene) -> None:
        container = await scene.start_container()
        await asyncio.sleep(0.01)
        stale = scene.cache.peek("uid1")
        event = RuntimeEvent(
            id=container,
            kind=RuntimeEventKind.STARTED,
            pod_uid="uid1",
            created_at_ns=scene.clock.now_ns(),
            pod=stale,
        )
        scene.runtime.lose_sandbox("uid1")
        scene.clock.jump_s += jump_s
        await asyncio.sleep(0.01)
        scene.generator._take(event)
        await asyncio.sleep(0.01)
        pod = scene.cache.peek("uid1")
        assert pod is not None
        assert [status.state for status in pod.containers] == [CriContainerState.EXITED]

    in_scene(check)
