"""What updates make of a pod's worker: its states, its grace, its back-offs, and what others may ask."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from podwright.agent.pods.failures import BackOff, NetworkNotReady
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.record import WorkState
from podwright.agent.workers.syncer import SyncResult
from podwright.agent.workers.updates import KillOptions, PodUpdate, SetStatus, UpdateKind
from podwright.agent.workers.worker import WorkerPorts
from podwright.errors import Internal
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.observed import exited, running
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import START_NS, VirtualClock, run_virtual


class Syncer:
    """Notes each pass as (state, pod's UID, grace); does what a test says."""

    def __init__(self) -> None:
        self.passes: list[tuple[str, str, int]] = []
        self.takes_s = 0.0
        self.terminal = False
        self.failures: list[Exception] = []

    async def sync_pod(self, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> SyncResult:
        await self._note("sync", pod.metadata.uid)
        return SyncResult(is_terminal=self.terminal, acted=True)

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        await self._note("terminating", pod.metadata.uid, grace_s)

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        await self._note("terminating-runtime", observed.uid)

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        await self._note("terminated", pod.metadata.uid)

    async def _note(self, state: str, uid: str, grace_s: int = 0) -> None:
        self.passes.append((state, uid, grace_s))
        await asyncio.sleep(self.takes_s)
        if self.failures:
            raise self.failures.pop(0)

    def states(self, uid: str = "") -> list[str]:
        return [state for state, of, _ in self.passes if uid in ("", of)]


class Looks:
    """Statuses that are always new enough."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.known: dict[str, ObservedPod] = {}
        self.failures: list[Exception] = []

    def peek(self, uid: str) -> ObservedPod | None:
        return self.known.get(uid)

    async def shown(self, uid: str, is_enough: Callable[[ObservedPod], bool]) -> ObservedPod | None:
        return None

    def named(self, name: str, namespace: str) -> list[ObservedPod]:
        return [pod for pod in self.known.values() if (pod.name, pod.namespace) == (name, namespace)]

    async def newer_than(self, uid: str, time: float) -> ObservedPod:
        if self.failures:
            raise self.failures.pop(0)
        return await self.look(uid)

    async def look(self, uid: str) -> ObservedPod:
        return ObservedPod(uid=uid, seen_at=self.clock.monotonic())


class Scene:
    """Workers with a syncer that notes."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.syncer = Syncer()
        self.looks = Looks(self.clock)
        self.events = RecordedEvents()
        self.queue = WorkQueue()
        self.tasks = Tasks()
        self.gone: list[str] = []
        ports = WorkerPorts(
            syncer=self.syncer,
            looks=self.looks,
            queue=self.queue,
            events=self.events,
            clock=self.clock,
            tasks=self.tasks,
            pod_gone=self.gone.append,
        )
        self.workers = PodWorkers(ports)

    def update(self, kind: UpdateKind, of: Pod, **kill: int) -> None:
        options = KillOptions(grace_s=kill["grace_s"]) if kill else None
        self.workers.update(PodUpdate(kind=kind, pod=of, kill=options))


def in_scene(check: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Scene()
        try:
            await check(scene)
        finally:
            await scene.tasks.close()

    run_virtual(run())


DELETED = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_new_pod_is_synced() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        assert scene.syncer.passes == [("sync", "uid-web", 0)]
        assert scene.workers.could_have_running_containers("uid-web")
        assert not scene.workers.is_termination_requested("uid-web")

    in_scene(check)


def test_updates_during_a_pass_become_one_more_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.takes_s = 1
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(0.5)
        for _ in range(20):
            scene.update(UpdateKind.SYNC, pod())
        await asyncio.sleep(5)
        assert scene.syncer.states() == ["sync", "sync"]

    in_scene(check)


def test_a_deleted_pod_goes_through_all_states() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.update(UpdateKind.UPDATE, pod(deleted=DELETED, grace_s=7))
        await asyncio.sleep(1)
        assert scene.syncer.passes[1:] == [("terminating", "uid-web", 7), ("terminated", "uid-web", 0)]
        assert scene.workers.should_content_be_removed("uid-web")
        assert scene.workers.should_be_finished("uid-web")
        assert scene.gone == ["uid-web"]
        assert scene.workers.reconcile([]) == {}
        assert not scene.workers.is_known("uid-web")

    in_scene(check)


def test_a_pod_that_reaches_a_terminal_phase_ends_but_keeps_its_logs() -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.terminal = True
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        assert scene.syncer.passes == [
            ("sync", "uid-web", 0),
            ("terminating", "uid-web", 30),
            ("terminated", "uid-web", 0),
        ]
        assert scene.workers.is_known_terminated("uid-web")
        assert not scene.workers.should_content_be_removed("uid-web")
        assert scene.gone == []

    in_scene(check)


@pytest.mark.parametrize("by_source", [True, False], ids=["its source", "housekeeping"])
def test_a_pod_that_has_ended_is_gone_when_nobody_wants_it(by_source: bool) -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.terminal = True
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        if by_source:
            scene.update(UpdateKind.KILL, pod())
            assert scene.workers.should_content_be_removed("uid-web")
        scene.workers.reconcile([])
        assert scene.gone == ["uid-web"]

    in_scene(check)


def test_a_pod_that_ends_can_be_given_less_time() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.workers.shorten("uid-web", 0)
        assert not scene.workers.is_termination_requested("uid-web")
        scene.syncer.takes_s = 100
        scene.update(UpdateKind.KILL, pod())
        await asyncio.sleep(1)
        scene.workers.shorten("uid-web", 0)
        await asyncio.sleep(1)
        assert [each for each in scene.syncer.passes if each[0] == "terminating"] == [
            ("terminating", "uid-web", 30),
            ("terminating", "uid-web", 1),
        ]

    in_scene(check)


def test_a_pod_that_must_end_interrupts_its_pass() -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.takes_s = 1000
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.syncer.takes_s = 0
        scene.update(UpdateKind.KILL, pod())
        await asyncio.sleep(1)
        assert scene.syncer.states() == ["sync", "terminating", "terminated"]

    in_scene(check)


def test_the_grace_only_shrinks() -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.takes_s = 1000
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.update(UpdateKind.UPDATE, pod(deleted=DELETED, grace_s=20))
        await asyncio.sleep(1)
        scene.update(UpdateKind.KILL, pod(deleted=DELETED, grace_s=20), grace_s=60)
        await asyncio.sleep(1)
        assert [grace_s for _, _, grace_s in scene.syncer.passes] == [0, 20]
        scene.update(UpdateKind.KILL, pod(deleted=DELETED, grace_s=20), grace_s=5)
        await asyncio.sleep(1)
        assert [grace_s for _, _, grace_s in scene.syncer.passes] == [0, 20, 5]

    in_scene(check)


@pytest.mark.parametrize(
    ("fields", "kill_s", "expected"),
    [
        pytest.param({}, None, 30, id="the pod's own"),
        pytest.param({"grace_s": 0}, None, 1, id="at least one second"),
        pytest.param({"grace_s": 10}, 3, 3, id="the request's is shorter"),
        pytest.param({"grace_s": 2}, 3, 2, id="the API's is shorter"),
        pytest.param({"termination_grace_period_seconds": None}, None, 1, id="none at all"),
    ],
)
def test_grace(fields: dict[str, int], kill_s: int | None, expected: int) -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.update(UpdateKind.KILL, pod(**fields), **({} if kill_s is None else {"grace_s": kill_s}))  # type: ignore[arg-type]
        await asyncio.sleep(1)
        assert ("terminating", "uid-web", expected) in scene.syncer.passes

    in_scene(check)


@pytest.mark.parametrize(
    ("failure", "earliest_s", "latest_s"),
    [
        pytest.param(None, 60, 90, id="success"),
        pytest.param(NetworkNotReady("no network"), 1, 1.5, id="network not ready"),
        pytest.param(Internal("broken"), 10, 15, id="any failure"),
        pytest.param(BackOff("crashed", until_ns=START_NS + 21 * 10**9), 20, 32, id="a back-off"),
        pytest.param(BackOff("crashed", until_ns=START_NS + 10**13), 60, 90, id="a long back-off"),
        pytest.param(ValueError("a bug"), 10, 15, id="a bug"),
    ],
)
def test_when_the_next_pass_is_due(failure: Exception | None, earliest_s: float, latest_s: float) -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.failures = [failure] if failure is not None else []
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(0.5)
        due = scene.queue.next_due()
        assert due is not None
        assert earliest_s <= due <= latest_s + 0.01

    in_scene(check)


def test_a_runtime_that_cannot_be_looked_at_is_an_event() -> None:
    async def check(scene: Scene) -> None:
        scene.looks.failures = [Internal("no answer")]
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        assert scene.syncer.passes == []
        assert scene.events.reasons("web") == ["FailedSync"]

    in_scene(check)


def test_a_static_pod_waits_for_the_one_of_its_name() -> None:
    async def check(scene: Scene) -> None:
        old, new = pod(uid="old", source="file"), pod(uid="new", source="file")
        scene.update(UpdateKind.CREATE, old)
        await asyncio.sleep(1)
        scene.syncer.takes_s = 5
        scene.update(UpdateKind.KILL, old)
        scene.update(UpdateKind.CREATE, new)
        await asyncio.sleep(1)
        assert scene.syncer.states("new") == []
        await asyncio.sleep(9.5)  # the old one has just ended
        assert scene.syncer.states("old") == ["sync", "terminating", "terminated"]
        assert scene.syncer.states("new") == ["sync"]

    in_scene(check)


def test_a_static_pod_waits_for_one_of_its_name_that_an_earlier_agent_has_started() -> None:
    async def check(scene: Scene) -> None:
        scene.looks.known["old"] = ObservedPod(uid="old", name="web", namespace="default", containers=(running(),))
        scene.update(UpdateKind.CREATE, pod(uid="new", source="file"))
        await asyncio.sleep(60)
        assert scene.syncer.states("new") == []
        scene.looks.known["old"] = ObservedPod(uid="old", name="web", namespace="default", containers=(exited(),))
        scene.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=scene.looks.known["old"]))
        await asyncio.sleep(0.1)  # the end of the old one wakes the new one
        assert scene.syncer.states("new") == ["sync"]

    in_scene(check)


def test_a_static_pod_that_is_removed_before_its_turn_never_starts() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod(uid="old", source="file"))
        scene.update(UpdateKind.CREATE, pod(uid="new", source="file"))
        await asyncio.sleep(1)
        scene.update(UpdateKind.KILL, pod(uid="new", source="file"))
        await asyncio.sleep(1)
        assert scene.syncer.states("new") == []
        assert scene.workers.should_be_finished("new")

    in_scene(check)


def test_the_same_pod_created_again_waits_for_housekeeping() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.syncer.takes_s = 3
        scene.update(UpdateKind.KILL, pod())
        await asyncio.sleep(1)
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(10)
        assert scene.syncer.states() == ["sync", "terminating", "terminated"]
        assert "uid-web" not in scene.workers.reconcile(["uid-web"])  # forgotten, so that it can be made anew
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        assert scene.syncer.states()[-1] == "sync"

    in_scene(check)


def test_a_pod_that_no_source_has_is_ended() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        left = scene.workers.reconcile([])
        assert left["uid-web"].orphan
        await asyncio.sleep(1)
        assert scene.syncer.states() == ["sync", "terminating", "terminated"]
        assert scene.workers.reconcile([]) == {}

    in_scene(check)


def test_a_pod_that_only_the_runtime_knows_is_ended() -> None:
    async def check(scene: Scene) -> None:
        lost = ObservedPod(uid="lost", name="lost", namespace="default")
        scene.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=lost))
        await asyncio.sleep(1)
        assert scene.syncer.passes == [("terminating-runtime", "lost", 0)]
        assert not scene.workers.is_known("lost")  # a source may have it all the same
        assert scene.gone == ["lost"]
        assert scene.workers.reconcile([]) == {}

    in_scene(check)


def test_a_pod_that_comes_while_what_ran_of_it_ends_gets_a_worker_of_its_own_later() -> None:
    async def check(scene: Scene) -> None:
        scene.syncer.takes_s = 3
        lost = ObservedPod(uid="uid-web", name="web", namespace="default")
        scene.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=lost))
        await asyncio.sleep(1)
        scene.update(UpdateKind.UPDATE, pod(deleted=datetime.now(UTC)))
        await asyncio.sleep(3)
        assert scene.syncer.states() == ["terminating-runtime"]
        assert not scene.workers.is_known("uid-web")
        scene.update(UpdateKind.KILL, pod(deleted=datetime.now(UTC)))
        await asyncio.sleep(10)
        assert scene.syncer.states() == ["terminating-runtime", "terminating", "terminated"]

    in_scene(check)


def test_a_pod_with_a_worker_is_no_orphan() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        known = ObservedPod(uid="uid-web", name="web", namespace="default")
        scene.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=known))
        await asyncio.sleep(1)
        assert scene.syncer.states() == ["sync"]

    in_scene(check)


def test_a_pod_that_had_ended_before_the_agent_came_is_only_cleaned_up() -> None:
    async def check(scene: Scene) -> None:
        scene.looks.known["uid-web"] = ObservedPod(uid="uid-web")
        scene.update(UpdateKind.CREATE, pod(phase="Succeeded"))
        await asyncio.sleep(1)
        assert scene.syncer.states() == ["terminated"]

    in_scene(check)


def test_a_pod_that_has_ended_for_the_api_may_still_have_to_be_ended() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod(phase="Failed"))
        await asyncio.sleep(1)
        assert scene.syncer.states() == ["terminating", "terminated"]

    in_scene(check)


def test_an_eviction_is_waited_for() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.syncer.takes_s = 3
        options = KillOptions(grace_s=1, evict=True)
        update = PodUpdate(kind=UpdateKind.KILL, pod=pod(), kill=options)
        assert not await scene.workers.kill(update, timeout_s=1)
        assert not scene.workers.should_content_be_removed("uid-web")  # how it ended is still to be read
        assert await scene.workers.kill(update, timeout_s=10)
        assert await scene.workers.kill(update, timeout_s=10)  # nothing runs any more
        assert scene.workers.should_content_be_removed("uid-web")

    in_scene(check)


def test_before_the_first_housekeeping_an_unknown_pod_may_be_there() -> None:
    async def check(scene: Scene) -> None:
        workers = scene.workers
        assert workers.could_have_running_containers("who")
        assert not workers.should_runtime_be_removed("who")
        workers.reconcile([])
        assert not workers.could_have_running_containers("who")
        assert workers.should_runtime_be_removed("who")
        assert workers.should_content_be_removed("who")

    in_scene(check)


def test_a_failed_termination_is_repeated_and_never_goes_back() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod())
        await asyncio.sleep(1)
        scene.syncer.failures = [Internal("still running")] * 3
        scene.update(UpdateKind.KILL, pod())
        for _ in range(5):
            await asyncio.sleep(20)
            for _uid in scene.queue.take(scene.clock.monotonic()):
                scene.update(UpdateKind.SYNC, pod())
        states = scene.syncer.states()
        assert states == ["sync", *["terminating"] * 4, "terminated"]
        assert [state for state, _ in itertools.groupby(states)] == ["sync", "terminating", "terminated"]

    in_scene(check)


def test_states_are_told_to_housekeeping() -> None:
    async def check(scene: Scene) -> None:
        scene.update(UpdateKind.CREATE, pod("a"))
        scene.update(UpdateKind.CREATE, pod("b"))
        await asyncio.sleep(1)
        scene.syncer.takes_s = 5
        scene.update(UpdateKind.KILL, pod("b"))
        await asyncio.sleep(1)
        known = scene.workers.reconcile(["uid-a", "uid-b"])
        assert {uid: each.state for uid, each in known.items()} == {
            "uid-a": WorkState.SYNC,
            "uid-b": WorkState.TERMINATING,
        }

    in_scene(check)
