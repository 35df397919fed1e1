"""Whatever the runtime shows in whatever order, a status never goes back."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from podwright.agent.decisions.restarts import restarts_after
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import CriContainerState, ObservedPod, SandboxStatus
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.k8s.objects import Container, ContainerStatus, Pod, PodStatus
from tests.agent.fakes.observed import created, exited, running, sandbox, unknown
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import NOW
from tests.agent.status.test_manager import Scene, done

NAMES = ("main", "other", "init", "side")
POLICIES = st.sampled_from(("Always", "OnFailure", "Never"))
STATES = st.sampled_from(CriContainerState)


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    own = st.one_of(st.none(), POLICIES)
    init = (container("init", restart_policy=draw(own)), container("side", restart_policy="Always"))
    return pod(
        source=draw(st.sampled_from(("api", "file"))),
        restart_policy=draw(POLICIES),
        containers=(container("main", restart_policy=draw(own)), container("other")),
        init_containers=init[: draw(st.integers(0, 2))],
        active_deadline_seconds=draw(st.sampled_from((None, 30))),
    )


@st.composite
def instances(draw: st.DrawFn, name: str) -> list[Instance]:
    """Up to three instances of a container, the newest first, in any state."""
    newest = draw(st.integers(-1, 3))
    oldest = max(0, newest - draw(st.integers(0, 2)))
    return [_instance(draw, name, attempt) for attempt in range(newest, oldest - 1, -1)]


def _instance(draw: st.DrawFn, name: str, attempt: int) -> Instance:
    match draw(STATES):
        case CriContainerState.RUNNING:
            return running(name, attempt)
        case CriContainerState.EXITED:
            return exited(name, draw(st.sampled_from((0, 1, 137))), attempt)
        case CriContainerState.CREATED:
            return created(name, attempt)
        case _:
            return unknown(name, attempt)


@st.composite
def looks(draw: st.DrawFn) -> ObservedPod:
    sandboxes: tuple[SandboxStatus, ...] = draw(
        st.sampled_from(((), (sandbox(),), (sandbox(ready=False),), (sandbox(1), sandbox(0, ready=False))))
    )
    found = tuple(each for name in NAMES for each in draw(instances(name)))
    return ObservedPod(uid="uid-web", sandboxes=sandboxes, containers=found)


@st.composite
def steps(draw: st.DrawFn) -> tuple[ObservedPod, str, int, bool, bool]:
    """A look, what else happens, the time that passes, whether containers may run, whether the pod is over."""
    kind = draw(st.sampled_from(("", "", "fail", "ready", "unready", "started", "refuse", "terminate", "delete")))
    return draw(looks()), kind, draw(st.integers(0, 20)), draw(st.booleans()), draw(st.booleans())


def happen(scene: Scene, of: Pod, kind: str) -> Pod:
    manager, uid = scene.manager, of.metadata.uid
    match kind:
        case "fail":
            manager.note_failure(of, ContainerFailure("main", "CrashLoopBackOff", "wait"))
        case "ready" | "unready":
            manager.set_ready(uid, "main-0", ready=kind == "ready")
        case "started":
            manager.set_started(uid, "side-0", started=True)
        case "refuse":
            manager.refuse(of, "OutOfcpu", "no")
        case "terminate":
            manager.terminate(of)
        case "delete":
            return replace(of, metadata=replace(of.metadata, deletion_timestamp=NOW))
    return of


def all_statuses(status: PodStatus) -> dict[str, ContainerStatus]:
    return {each.name: each for each in (*status.init_container_statuses, *status.container_statuses)}


def is_final(of: Pod, definition: Container, status: ContainerStatus) -> bool:
    """Whether a container may never run again, as the API has it."""
    end = status.state.terminated
    if end is None or is_sidecar(definition) or of.spec.restart_policy == "Always":
        return False
    if of.spec.restart_policy == "OnFailure" and end.exit_code:
        return False
    return not restarts_after(of, definition, end.exit_code)


def check(of: Pod, old: PodStatus, new: PodStatus) -> None:
    """That `new` may follow `old`."""
    if old.phase in TERMINAL:
        assert new.phase in TERMINAL
    assert new.start_time == old.start_time
    assert new.observed_generation >= old.observed_generation
    before, after = all_statuses(old), all_statuses(new)
    for definition in (*of.spec.init_containers, *of.spec.containers):
        if (was := before.get(definition.name)) is None or (now := after.get(definition.name)) is None:
            continue
        assert now.restart_count >= was.restart_count
        assert not is_final(of, definition, was) or now.state.terminated is not None
        assert sum(each is not None for each in (now.state.running, now.state.waiting, now.state.terminated)) == 1
    times = {each.type: (each.status, each.last_transition_time) for each in old.conditions}
    for condition in new.conditions:
        status, time = times.get(condition.type, ("", None))
        assert condition.last_transition_time is not None
        if status == condition.status:
            assert condition.last_transition_time == time


@settings(max_examples=200)
@given(of=pods(), sequence=st.lists(steps(), min_size=2, max_size=8))
def test_a_status_never_goes_back(of: Pod, sequence: list[tuple[ObservedPod, str, int, bool, bool]]) -> None:
    scene = Scene(Path("/nonexistent"))
    for seen, kind, seconds, may_run, is_over in sequence:
        scene.clock.seconds += seconds
        scene.may_run = may_run
        scene.pods[of.metadata.uid] = of
        of = happen(scene, of, kind)
        scene.manager.set(of, done(scene.manager.build(of, seen, is_terminal=is_over)))
    for old, new in zip(scene.seen, scene.seen[1:], strict=False):
        assert new.version == old.version + 1
        assert new.is_finished >= old.is_finished
        check(of, old.status, new.status)
        check(of, old.shown, new.shown)
        assert old.shown.phase not in TERMINAL or new.shown.phase == old.shown.phase
        if new.shown.phase in TERMINAL:
            ready = [each for each in new.shown.conditions if each.type in ("Ready", "ContainersReady")]
            assert all(each.status == "False" for each in ready)


@settings(max_examples=100)
@given(of=pods(), seen=looks(), is_over=st.booleans())
def test_a_status_that_is_built_again_is_the_same(of: Pod, seen: ObservedPod, is_over: bool) -> None:
    """Otherwise each look would make a new version, and a write to the API."""
    scene = Scene(Path("/nonexistent"))
    for _ in range(3):
        scene.manager.set(of, done(scene.manager.build(of, seen, is_terminal=is_over)))
    assert len(scene.seen) == 1
