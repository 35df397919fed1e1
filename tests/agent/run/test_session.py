"""A run with an engine that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.events.log import RecordedEvent
from podwright.agent.run.plan import RunPlan
from podwright.agent.run.runs import RunRecord, abandoned, claimed
from podwright.agent.run.session import REMOVAL_HINT, EngineInputs, RunResult, Session, SessionInputs
from podwright.agent.run.stop import StopRequest
from podwright.errors import Unavailable
from podwright.k8s.objects import ConfigMap, ContainerState, ContainerStateWaiting, Pod, PodStatus
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.run.build import ended, job_text, names, plan, pod_text, running, workload
from tests.agent.run.recording import Recorder
from tests.agent.run.test_narrator import EVENT

ENDPOINT = "unix:///x.sock"


class FakeEngine:
    """Keeps the newest set of pods. A pod that is not wanted any more is gone after its `end_s` seconds."""

    def __init__(self, inputs: EngineInputs) -> None:
        self.inputs = inputs
        self.pods: list[Pod] = []
        self.end_s = 1.0
        self.killed: list[str] = []
        self.failure: Exception | None = None
        self.failed = asyncio.Event()
        self._watcher: Callable[[str, PodStatus], None] = lambda uid, status: None
        self._listener: Callable[[RecordedEvent], None] = lambda event: None

    async def run(self) -> None:
        async def read() -> None:
            async for pods in self.inputs.source.sets():
                self.pods = pods

        reader = asyncio.create_task(read())
        try:
            await self.failed.wait()
            assert self.failure is not None
            raise self.failure
        finally:
            reader.cancel()

    def on_status(self, watcher: Callable[[str, PodStatus], None]) -> None:
        self._watcher = watcher

    def on_event(self, listener: Callable[[RecordedEvent], None]) -> None:
        self._listener = listener

    def log_path(self, pod: Pod, container: str, attempt: int) -> str:
        return f"/nonexistent/{pod.metadata.name}/{container}/{attempt}.log"

    async def gone(self, uids: Iterable[str]) -> None:
        for _ in range(int(self.end_s * 10)):
            if self.killed:
                return
            await asyncio.sleep(0.1)

    def kill(self, uids: Iterable[str]) -> None:
        self.killed = list(uids)

    # -- for tests

    async def report(self, name: str, status: PodStatus) -> None:
        await asyncio.sleep(0.1)
        self._watcher(next(pod.metadata.uid for pod in self.pods if pod.metadata.name == name), status)
        await asyncio.sleep(0.1)

    def record(self, event: RecordedEvent) -> None:
        self._listener(event)


class Stage:
    """A session and all that it works with."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.clock: Clock = VirtualClock()
        self.recorder = Recorder()
        self.stop = StopRequest()
        self.engine: FakeEngine
        self.detach = False
        self.new_plans: AsyncIterator[RunPlan] | None = None
        self.notices: list[str] = []

    def play(self, made: RunPlan, act: Callable[[FakeEngine, StopRequest], Coroutine[Any, Any, None]]) -> RunResult:
        """Run the session while `act` goes on."""

        def make(inputs: EngineInputs) -> FakeEngine:
            self.engine = FakeEngine(inputs)
            return self.engine

        async def work() -> RunResult:
            self.stop = StopRequest()
            with claimed(self.root, "aa") as log:
                inputs = SessionInputs(
                    plan=made,
                    reporter=self.recorder,
                    stop=self.stop,
                    clock=self.clock,
                    log=log,
                    record=RunRecord(run_id="aa", endpoint=ENDPOINT),
                    make_engine=make,
                    detach=self.detach,
                    new_plans=self.new_plans,
                    notify=self.notices.append,
                )
                session = Session(inputs)
                running_session = asyncio.create_task(session.run())
                await asyncio.sleep(0.1)
                await act(self.engine, self.stop)
                return await running_session

        return run_virtual(work())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_run_ends_when_its_pods_have_succeeded(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        assert names(engine.pods) == ["a", "b"]
        assert engine.inputs.is_own(engine.pods[0].metadata.uid)
        await engine.report("a", ended())
        await engine.report("b", running())
        await engine.report("b", ended())
        assert engine.pods == []

    result = stage.play(plan(pod_text("a"), pod_text("b")), act)
    assert result == RunResult(failures=())
    assert "container b/c: exited with code 0 (Completed)" in stage.recorder.lines
    assert abandoned(stage.root, ENDPOINT) == []


def test_a_failed_pod_ends_the_others(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("a", running())
        await engine.report("b", ended(3))

    result = stage.play(plan(pod_text("a"), pod_text("b")), act)
    assert [str(failure) for failure in result.failures] == ["container b/c exited with code 3 (Error)"]
    assert stage.engine.pods == []


def test_a_stop_ends_the_pods_and_is_no_failure(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web", running())
        stop.ask()
        await asyncio.sleep(0.2)
        assert engine.pods == []

    assert stage.play(plan(pod_text()), act) == RunResult(failures=())
    assert "pod default/web: Stopping" in stage.recorder.lines
    assert stage.recorder.lines[-1] == "pod default/web: Stopped"
    assert not stage.engine.killed


def test_the_service_manager_hears_when_all_is_ready_and_when_it_ends(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("a", running(ready=True))
        assert stage.notices == []
        await engine.report("b", running(ready=True))
        assert stage.notices == ["READY=1"]
        await engine.report("b", running())
        await engine.report("b", running(ready=True))
        stop.ask()

    stage.play(plan(pod_text("a"), pod_text("b")), act)
    assert stage.notices == ["READY=1", "STOPPING=1"]


def test_a_stop_while_a_container_waits_for_its_next_start_is_a_failure(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        failed = ended(7).container_statuses[0]
        waits = ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff"))
        one = structs.replace(failed, state=waits, last_state=failed.state, restart_count=2)
        await engine.report("web", structs.replace(running(), container_statuses=(one,)))
        stop.ask()

    result = stage.play(plan(pod_text()), act)
    assert [str(failure) for failure in result.failures] == ["container c exited with code 7 (Error)"]


def test_a_second_request_kills(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        engine.end_s = 1000
        stop.ask()
        await asyncio.sleep(1)
        stop.ask()

    stage.play(plan(pod_text()), act)
    assert len(stage.engine.killed) == 1


def test_whoever_waits_for_pods_to_end_hears_how_to_kill_them(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web", running())
        engine.end_s = 1000
        stop.ask()
        await asyncio.sleep(60)
        stop.ask()

    stage.play(plan(pod_text()), act)
    assert stage.recorder.lines.count("waiting for the pods to end; Ctrl-C again kills them") == 1


def test_what_ended_pods_have_left_is_not_waited_for_after_one_request(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        engine.end_s = 1000
        await engine.report("web", ended(0))
        await asyncio.sleep(60)
        stop.ask()

    assert stage.play(plan(pod_text(spec="restartPolicy: Never")), act).failures == ()
    assert stage.recorder.lines.count(REMOVAL_HINT) == 1
    assert len(stage.engine.killed) == 1


def test_detached_pods_stay_and_are_recorded(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web-0", running(ready=True))
        await engine.report("web-1", running(ready=True))

    stage.detach = True
    result = stage.play(plan(workload("StatefulSet", spec="replicas: 2")), act)
    assert result.detached
    assert names(stage.engine.pods) == ["web-0", "web-1"]
    (record,) = abandoned(stage.root, ENDPOINT)
    assert record.detached
    assert [(pod.name, pod.owner) for pod in record.pods] == [
        ("web-0", "StatefulSet default/web"),
        ("web-1", "StatefulSet default/web"),
    ]
    assert "warning: nobody restarts the containers of detached pods" in stage.recorder.lines


def test_a_run_that_fails_does_not_detach(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web", ended(1))

    stage.detach = True
    result = stage.play(plan(pod_text()), act)
    assert not result.detached
    assert len(result.failures) == 1


def test_an_engine_that_fails_fails_the_run(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        engine.failure = Unavailable("the runtime is gone")
        engine.failed.set()

    with pytest.raises(Unavailable, match="the runtime is gone"):
        stage.play(plan(pod_text()), act)


def test_events_without_hope_end_the_run(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        subject = replace(EVENT.subject, uid=engine.pods[0].metadata.uid)
        engine.record(replace(EVENT, subject=subject, reason="FailedMount", count=3, message="no such path"))

    result = stage.play(plan(pod_text()), act)
    assert [str(failure) for failure in result.failures] == ["pod default/web failed (FailedMount): no such path"]


def test_a_job_gets_its_later_pods(stage: Stage) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        (first,) = engine.pods
        await engine.report(first.metadata.name, ended())
        (_, second) = engine.pods
        await engine.report(second.metadata.name, ended())

    assert stage.play(plan(job_text("completions: 2")), act) == RunResult(failures=())


def test_other_files_replace_pods_and_objects(stage: Stage) -> None:
    changed = asyncio.Event()
    config_map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {k: v}}"

    async def new_plans() -> AsyncIterator[RunPlan]:
        await changed.wait()
        yield plan(pod_text(container="tty: true"), config_map)
        await asyncio.Event().wait()

    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        (old,) = engine.pods
        await engine.report("web", ended(3))
        assert engine.pods
        changed.set()
        await asyncio.sleep(0.2)
        (new,) = engine.pods
        assert new.metadata.uid != old.metadata.uid
        assert isinstance(await engine.inputs.objects.config_map("default", "m"), ConfigMap)
        stop.ask()

    stage.new_plans = new_plans()
    assert stage.play(plan(pod_text()), act) == RunResult(failures=())
    lines = stage.recorder.lines
    assert lines.index("error: container c exited with code 3 (Error)") < lines.index("the files have changed")
    assert "waiting for the files to change" in lines
