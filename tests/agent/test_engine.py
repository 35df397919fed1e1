"""The whole engine on a runtime in memory: pods come, change, crash and go; the agent and the runtime die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from podwright.agent.admission.chain import Check, Refusal
from podwright.agent.allocation.feasibility import ResizeRules
from podwright.agent.allocation.resizes import make_resizes
from podwright.agent.engine.engine import AgentEngine
from podwright.agent.engine.ports import EnginePorts, EngineSettings, EngineStatuses
from podwright.agent.engine.shared_state import SharedState
from podwright.agent.housekeeping import PerPodParts
from podwright.agent.metrics.resizes import ResizeMetrics
from podwright.agent.probes.outcomes import ProbeKind, ProbeOutcome, ProbeResult
from podwright.agent.runtime.records import CriContainerState
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.record import WorkState
from podwright.errors import Internal, Unavailable
from podwright.k8s.objects import Pod
from podwright.tasks import STUCK_S
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.ports import (
    FakeCgroups,
    FakeConfigs,
    FakeHttp,
    FakeImages,
    FakeProbes,
    FakeStatuses,
    FakeVolumes,
    KeptDead,
    NoMirrors,
    NoObjects,
    NoUsers,
)
from tests.agent.fakes.runtime import FakeRuntime, Program
from tests.agent.fakes.time import VirtualClock, run_virtual


class ListSource:
    """Sends the sets that a test gives."""

    def __init__(self) -> None:
        self._sets: asyncio.Queue[list[Pod]] = asyncio.Queue()

    def put(self, *pods: Pod) -> None:
        self._sets.put_nowait(list(pods))

    async def sets(self) -> AsyncIterator[list[Pod]]:
        while True:
            yield await self._sets.get()


class Scene:
    """An engine; `restart` kills it and starts another one beside the same runtime."""

    def __init__(self, directory: Path, *, sources: tuple[str, ...] = ("file",), evented: bool = True) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.events = RecordedEvents()
        self.cgroups, self.volumes = FakeCgroups(), FakeVolumes()
        self.images = FakeImages()
        self.checks: list[Check] = []
        self.resize_checks: list[Check] = []
        self.rules = ResizeRules()
        self.problem = self.problem_of_change = ""
        self._directory = directory
        self._names = sources
        self._evented = evented
        self._begin()

    def _begin(self) -> None:
        self.statuses, self.probes = FakeStatuses(self.clock), FakeProbes()
        self.sources = {name: ListSource() for name in self._names}
        self.shared = SharedState(self.runtime, self.clock)
        root = self._directory / "root"
        root.mkdir(exist_ok=True)
        metrics = ResizeMetrics()
        resizes = make_resizes(
            str(root), self.resize_checks, self.shared.registry.get, self.events, self.clock, metrics, self.rules
        )
        resizes.recover()
        statuses, mirrors, users = self._status_room(), NoMirrors(), NoUsers()
        passes = SyncerPorts(
            runtime=self.runtime,
            looks=self.shared.cache,
            statuses=statuses,
            probes=self.probes,
            images=self.images,
            configs=FakeConfigs(str(self._directory / "logs")),
            volumes=self.volumes,
            cgroups=self.cgroups,
            objects=NoObjects(),
            users=users,
            resizes=resizes,
            mirrors=mirrors,
            http=FakeHttp(),
            events=self.events,
            clock=self.clock,
            network_problem=lambda: "",
            handler_of=lambda _: "",
            root=str(root),
            links_directory=str(self._directory / "links"),
        )
        ports = EnginePorts(
            passes=passes,
            statuses=statuses,
            per_pod=PerPodParts(
                of_active=[self.probes],
                of_known=[statuses, users, resizes],
                volumes=self.volumes,
                cgroups=self.cgroups,
                mirrors=mirrors,
            ),
            dead_containers=KeptDead(),
            runtime_problem=lambda: self.problem,
            admission=self.checks,
            problem_of_change=lambda _old, _new: self.problem_of_change,
        )
        self.resizes = resizes
        self.engine = AgentEngine(EngineSettings(evented=self._evented), self.shared, ports, self.sources)
        self.engine.start()

    def _status_room(self) -> EngineStatuses:
        return self.statuses

    @property
    def file(self) -> ListSource:
        return self.sources["file"]

    async def restart(self) -> None:
        await self.engine.close()
        self._begin()

    def states(self) -> dict[str, WorkState]:
        uids = [observed.uid for observed in self.engine.cache.all()]
        activities = {uid: self.engine.workers.activity(uid) for uid in uids}
        return {uid: activity.state for uid, activity in activities.items() if activity is not None}


InScene = Callable[..., None]


@pytest.fixture
def in_scene(tmp_path: Path) -> InScene:
    def run(check: Callable[[Scene], Awaitable[None]], **options: object) -> None:
        async def within() -> None:
            scene = Scene(tmp_path, **options)  # type: ignore[arg-type] # the scene's own options
            try:
                await check(scene)
            finally:
                await scene.engine.close()

        run_virtual(within())

    return run


def static(name: str, *, uid: str = "", **spec: object) -> Pod:
    return pod(name, uid=uid, source="file", **spec)  # type: ignore[arg-type] # fields of a PodSpec


@pytest.mark.parametrize("evented", [True, False], ids=["events", "relists"])
def test_pods_come_and_go(in_scene: InScene, evented: bool) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("a"), static("b", containers=(container("x"), container("y"))))
        await asyncio.sleep(5)
        assert scene.runtime.running_names() == ["main", "x", "y"]
        scene.file.put(static("a"))
        await asyncio.sleep(10)
        assert scene.runtime.running_names() == ["main"]
        assert scene.volumes.mounted == {"uid-a"}
        assert scene.cgroups.made == {"uid-a"}
        assert not scene.engine.workers.is_known("uid-b")

    in_scene(check, evented=evented)


def test_the_end_of_pods_can_be_waited_for(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(stops_s=8)]
        scene.file.put(static("a"))
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        scene.file.put()
        gone = asyncio.create_task(scene.engine.gone(["uid-a"]))
        await asyncio.sleep(7)
        assert not gone.done()
        await asyncio.sleep(3)
        for dead in await scene.runtime.containers():
            await scene.runtime.remove_container(dead.id)
        for sandbox in await scene.runtime.sandboxes():
            await scene.runtime.remove_sandbox(sandbox.id)
        await gone
        assert asyncio.get_running_loop().time() - began < 15
        assert scene.volumes.mounted == set()
        await scene.engine.gone(["uid-a"])  # and when nothing was left at the beginning

    in_scene(check)


def test_a_start_takes_no_time_of_the_agent_s(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await asyncio.sleep(3)
        scene.file.put(*(static(f"p{number}") for number in range(50)))
        await asyncio.sleep(0.01)
        assert len(scene.runtime.running_names()) == 50

    in_scene(check)


def test_a_room_that_cannot_clean_up_holds_nothing_up(in_scene: InScene) -> None:
    """A removal that hangs, or that fails for a while, is its room's alone."""

    async def check(scene: Scene) -> None:
        scene.file.put(static("a"))
        await asyncio.sleep(3)
        scene.volumes.retain_s = 3600
        scene.cgroups.retain_failures = [Internal("busy"), Internal("busy")]
        scene.file.put()
        await asyncio.sleep(20)
        assert scene.cgroups.retain_failures == []
        assert scene.runtime.running_names() == []
        assert scene.engine.loop.silent_s() < 3
        scene.file.put(static("b"))
        await asyncio.sleep(5)
        assert scene.runtime.running_names() == ["main"]
        scene.file.put()
        await asyncio.sleep(20)
        assert not scene.engine.workers.is_known("uid-b")

    in_scene(check)


def test_a_pod_ends_at_its_deadline(in_scene: InScene) -> None:
    """To the second, whatever else happens on the node, and with one event."""

    async def check(scene: Scene) -> None:
        scene.file.put(static("a", active_deadline_seconds=45), static("b"))
        await asyncio.sleep(44)
        assert scene.runtime.running_names() == ["main", "main"]
        await asyncio.sleep(4)
        assert scene.runtime.running_names() == ["main"]
        await asyncio.sleep(100)
        events = [event for event in scene.events.seen if event[1] == "DeadlineExceeded"]
        assert events == [("a", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")]

    in_scene(check)


QUESTIONS = ("sandboxes", "containers", "pod_sandboxes", "pod_containers", "sandbox_status", "container_status")


def test_where_events_show_everything_a_pod_costs_no_question(in_scene: InScene) -> None:
    """The runtime is asked to make and to end it, and nothing else."""

    async def check(scene: Scene) -> None:
        scene.file.put(static("first"))  # by its events the agent learns what events of this runtime show
        await asyncio.sleep(3)
        scene.runtime.calls.clear()
        scene.file.put(static("first"), static("a", containers=(container("x"), container("y"))))
        await asyncio.sleep(3)
        assert scene.runtime.running_names() == ["main", "x", "y"]
        scene.file.put(static("first"))
        await asyncio.sleep(70)
        assert scene.runtime.running_names() == ["main"]
        assert scene.states().keys() == {"uid-first"}

        assert [name for name, _ in scene.runtime.calls if name in QUESTIONS] == []

    in_scene(check)


def test_an_idle_node_is_left_alone(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(*(static(f"p{number}") for number in range(20)))
        await asyncio.sleep(200)
        scene.runtime.calls.clear()
        await asyncio.sleep(280)
        assert len(scene.runtime.calls) <= 4  # one relist, no pod is looked at

    in_scene(check)


def test_a_changed_manifest_waits_for_the_old_pod(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(stops_s=8)]
        scene.file.put(static("web", uid="old"))
        await asyncio.sleep(3)
        scene.file.put(static("web", uid="new"))
        await asyncio.sleep(5)
        assert scene.runtime.container("main").labels["io.kubernetes.pod.uid"] == "old"
        await asyncio.sleep(30)
        assert scene.runtime.container("main").labels["io.kubernetes.pod.uid"] == "new"
        assert scene.runtime.running_names() == ["main"]

    in_scene(check)


def test_a_crash_is_seen_at_once(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("web"))
        await asyncio.sleep(3)
        await scene.runtime.end("main", 1)
        await asyncio.sleep(0.05)
        assert scene.runtime.container("main").restart_count == 1
        await scene.runtime.end("main", 1)
        await asyncio.sleep(9)
        assert scene.runtime.running_names() == []
        assert "BackOff" in scene.events.reasons("web")
        await asyncio.sleep(7)
        assert scene.runtime.container("main").restart_count == 2

    in_scene(check)


def test_a_restart_of_the_agent_changes_nothing(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("a"), static("b"))
        await asyncio.sleep(3)
        await scene.restart()
        scene.runtime.calls.clear()
        scene.file.put(static("a"), static("b"))
        await asyncio.sleep(200)
        changing = {"run_sandbox", "create_container", "start_container", "stop_container", "stop_sandbox"}
        assert not changing & {method for method, _ in scene.runtime.calls}
        assert scene.runtime.running_names() == ["main", "main"]

    in_scene(check)


def test_a_pod_that_went_while_no_agent_ran_is_ended(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("a"), static("b"))
        await asyncio.sleep(3)
        await scene.restart()
        scene.file.put(static("a"))
        await asyncio.sleep(10)
        assert [observed.uid for observed in scene.engine.cache.all() if observed.running()] == ["uid-a"]

    in_scene(check)


def test_nothing_is_ended_before_every_source_was_read(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.sources["file"].put(static("a"))
        scene.sources["api"].put(pod("b"))
        await asyncio.sleep(3)
        await scene.restart()
        scene.sources["file"].put(static("a"))
        await asyncio.sleep(600)
        assert scene.runtime.running_names() == ["main", "main"]
        scene.sources["api"].put()
        await asyncio.sleep(10)
        assert scene.runtime.running_names() == ["main"]

    in_scene(check, sources=("file", "api"))


def test_a_foreign_pod_is_ended(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.runtime.run_sandbox(sandbox_config("lost"), "")
        made = await scene.runtime.create_container(sandbox, container_config("main", "lost"), sandbox_config("lost"))
        await scene.runtime.start_container(made)
        scene.file.put()
        await asyncio.sleep(10)
        assert scene.runtime.running_names() == []

    in_scene(check)


def test_a_pod_that_is_not_admitted_never_starts(in_scene: InScene) -> None:
    def refuse(pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        return Refusal(reason="OutOfcpu", message="too large") if pod.metadata.name == "big" else None

    async def check(scene: Scene) -> None:
        scene.checks.append(refuse)
        await scene.restart()
        scene.file.put(static("big"), static("small"))
        await asyncio.sleep(100)
        assert [observed.uid for observed in scene.engine.cache.all()] == ["uid-small"]
        assert scene.events.reasons("big") == ["OutOfcpu"]

    in_scene(check)


def test_a_change_that_cannot_take_effect_is_said(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("web"))
        await asyncio.sleep(2)
        scene.problem_of_change = "no such feature"
        scene.file.put(static("web", active_deadline_seconds=1000))
        await asyncio.sleep(2)
        assert scene.events.seen[-1] == ("web", "FailedNodeDeclaredFeaturesCheck", "no such feature")
        assert scene.runtime.running_names() == ["main"]

    in_scene(check)


def test_a_pod_that_is_refused_after_a_restart_is_ended(in_scene: InScene) -> None:
    def refuse(pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        return Refusal(reason="NodeAffinity", message="elsewhere") if pod.metadata.name == "moved" else None

    async def check(scene: Scene) -> None:
        scene.sources["api"].put(pod("moved"), pod("kept"))
        await asyncio.sleep(3)
        assert scene.runtime.running_names() == ["main", "main"]
        scene.checks.append(refuse)
        await scene.restart()
        scene.sources["api"].put(pod("moved"), pod("kept"))
        await asyncio.sleep(10)
        running = [observed.uid for observed in scene.engine.cache.all() if observed.running()]
        assert running == ["uid-kept"]
        assert not scene.engine.workers.could_have_running_containers("uid-moved")
        scene.sources["api"].put(pod("moved", deleted=datetime.now(UTC)), pod("kept"))
        await asyncio.sleep(100)
        assert scene.statuses.terminated == ["uid-moved"]
        assert scene.runtime.running_names() == ["main"]

    in_scene(check, sources=("api",))


def test_a_deleted_pod_of_the_api_ends_with_its_grace(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(stops_s=None)]
        api = scene.sources["api"]
        api.put(pod())
        await asyncio.sleep(3)
        api.put(pod(deleted=datetime(2026, 1, 1, tzinfo=UTC), grace_s=7))
        await asyncio.sleep(6)
        assert scene.runtime.running_names() == ["main"]
        await asyncio.sleep(3)
        assert scene.runtime.running_names() == []
        assert scene.states() == {"uid-web": WorkState.TERMINATED}
        api.put()
        await asyncio.sleep(5)
        assert scene.states() == {}

    in_scene(check, sources=("api",))


def test_a_runtime_that_dies_and_comes_back(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("a"))
        await asyncio.sleep(3)
        scene.runtime.down = Unavailable("gone")
        scene.problem = "the runtime does not answer"
        scene.runtime.end_streams()
        scene.file.put(static("a"), static("b"))
        await asyncio.sleep(600)
        scene.runtime.down = None
        scene.problem = ""
        await asyncio.sleep(70)
        assert scene.runtime.running_names() == ["main", "main"]
        assert scene.runtime.count("create_container") == 2

    in_scene(check)


def test_a_runtime_that_hangs_holds_up_only_its_pod(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.hangs.add("run_sandbox")
        scene.file.put(static("stuck"))
        await asyncio.sleep(3)
        scene.runtime.hangs.clear()
        scene.file.put(static("stuck"), static("other"))
        await asyncio.sleep(3)
        assert scene.runtime.running_names() == ["main"]
        scene.file.put(static("other"))  # the one that hangs can still be taken away
        await asyncio.sleep(10)
        assert not scene.engine.workers.is_known("uid-stuck")

    in_scene(check)


@pytest.mark.parametrize("ticks", range(12))
def test_an_agent_that_stops_as_a_pass_is_interrupted_stops_at_once(in_scene: InScene, ticks: int) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.hangs.add("start_container")
        scene.file.put(static("stuck"))
        await asyncio.sleep(3)
        scene.file.put()
        for _ in range(ticks):  # until the pass is cancelled, and its worker has not heard of it
            await asyncio.sleep(0)
        began = scene.clock.monotonic()
        await scene.engine.close()
        assert scene.clock.monotonic() - began < STUCK_S

    in_scene(check)


def test_what_a_pod_waits_for_is_known(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.hangs.add("start_container")
        scene.file.put(static("stuck"))
        await asyncio.sleep(3)
        activity = scene.engine.workers.activity("uid-stuck")
        assert activity is not None
        assert activity.waits_for == ("start of container main",)
        scene.runtime.hangs.clear()
        scene.file.put()
        await asyncio.sleep(10)

    in_scene(check)


def test_a_failed_liveness_probe_restarts_the_container(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(static("web"))
        await asyncio.sleep(3)
        alive = scene.runtime.container("main").id
        scene.probes.findings[alive, ProbeKind.LIVENESS] = ProbeResult.FAILURE
        await scene.shared.probe_decided(
            ProbeOutcome(
                pod_uid="uid-web",
                container="main",
                container_id=alive,
                kind=ProbeKind.LIVENESS,
                finding=ProbeResult.FAILURE,
            )
        )
        await asyncio.sleep(0.1)
        assert scene.runtime.container("main").restart_count == 1

    in_scene(check)


def test_a_flood_of_changes_leaves_the_last_set(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        for number in range(300):
            scene.file.put(*(static(f"p{number % 7}", uid=f"u{number}-{index}") for index in range(1)))
        await asyncio.sleep(200)
        assert [observed.uid for observed in scene.engine.cache.all() if observed.running()] == ["u299-0"]

    in_scene(check)


def test_a_container_that_was_made_and_not_started_is_made_anew(in_scene: InScene) -> None:
    """Its start may still happen, as the answer alone can have been lost; and it has not run, so it counts nothing."""

    async def check(scene: Scene) -> None:
        scene.runtime.failures["start_container"] = [Unavailable("no answer")]
        scene.file.put(static("web"))
        await asyncio.sleep(30)
        (observed,) = scene.engine.cache.all()
        assert [(each.state, each.restart_count) for each in observed.containers] == [(CriContainerState.RUNNING, 0)]

    in_scene(check)
