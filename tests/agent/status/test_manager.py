"""The status manager: guards, versions, watchers, what is shown, probes, refusals."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.loop import LoopStatuses
from podwright.agent.pods.identity import CONFIG_HASH, CONFIG_MIRROR, TERMINATION_MESSAGE_PATH
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import MountStatus
from podwright.agent.status.conditions import find
from podwright.agent.status.manager import StatusManager, StatusPorts, VersionedStatus
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.agent.workers.ports import StatusKeeper
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateTerminated,
    ExecAction,
    Pod,
    PodReadinessGate,
    PodStatus,
    Probe,
)
from tests.agent.fakes.observed import exited, observed, running
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import EARLIER, NOW, condition, shown, waits

PROBE = Probe(exec=ExecAction(command=("true",)))
UID = "uid-web"


class StoppedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = int(NOW.timestamp())

    def now_ns(self) -> int:
        return self.seconds * 10**9 + 123456789

    def monotonic(self) -> float:
        return float(self.seconds)


class Scene:
    """A manager with pods that a test sets, and what watchers saw."""

    def __init__(self, root: Path) -> None:
        self.clock = StoppedClock()
        self.pods: dict[str, Pod] = {}
        self.mirrors: dict[str, Pod] = {}
        self.may_run = False
        self.findings: dict[tuple[str, ProbeKind], ProbeResult] = {}
        self.manager = StatusManager(
            StatusPorts(
                clock=self.clock,
                messages=TerminationMessages(str(root), str(root / "logs")),
                pod_of=self.pods.get,
                mirror_of=lambda pod: self.mirrors.get(pod.metadata.name),
                may_run=lambda _: self.may_run,
                finding_of=lambda identifier, kind: self.findings.get((identifier, kind)),
                node_ips=lambda: ("192.0.2.1",),
                runtime_name=lambda: "containerd",
                supports_recursive=lambda _: True,
            )
        )
        self.keeper: StatusKeeper = self.manager  # what workers know of it
        self.statuses: LoopStatuses = self.manager  # what the loop knows of it
        self.seen: list[VersionedStatus] = []
        self.manager.on_change(self.seen.append)

    def look(self, of: Pod, *instances: Instance, is_terminal: bool = False) -> PodStatus:
        """Build a status, which needs to wait for nothing, and set it."""
        self.pods[of.metadata.uid] = of
        status = done(self.keeper.build(of, observed(*instances), is_terminal=is_terminal))
        return self.keeper.set(of, status)

    def verdict(self, type_: str) -> tuple[str, str]:
        status = self.manager.get(UID)
        assert status is not None
        found = find(status.conditions, type_)
        assert found is not None
        return found.status, found.reason

    @property
    def shown(self) -> PodStatus:
        newest = self.manager.newest(UID)
        assert newest is not None
        return newest.shown


def done(work: Coroutine[Any, Any, PodStatus]) -> PodStatus:
    """The result of work that never waits: nothing is to be read."""
    with pytest.raises(StopIteration) as end:
        work.send(None)
    value: PodStatus = end.value.value
    return value


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_new_sandbox_shows_before_its_containers(scene: Scene) -> None:
    web = pod()
    waiting = done(scene.keeper.build(web, observed(sandboxes=())))
    scene.keeper.set(web, waiting)
    assert scene.verdict("PodReadyToStartContainers") == ("False", "")
    scene.keeper.set_ready_to_start(web)
    assert scene.verdict("PodReadyToStartContainers") == ("True", "")
    status = scene.manager.get(UID)
    assert status is not None
    assert {each.type for each in status.conditions} == {each.type for each in waiting.conditions}
    assert status.phase == "Pending"
    scene.keeper.set_ready_to_start(web)
    assert len(scene.seen) == 2


def test_a_change_makes_a_version_and_the_same_makes_none(scene: Scene) -> None:
    assert scene.manager.get(UID) is None
    first = scene.look(pod(), running())
    assert scene.manager.get(UID) is first
    assert scene.look(pod(), running()) is first
    scene.look(pod(), exited(exit_code=1))
    assert [(each.uid, each.namespace, each.name, each.version) for each in scene.seen] == [
        (UID, "default", "web", 1),
        (UID, "default", "web", 2),
    ]
    assert scene.seen[0].status is first
    assert scene.manager.all() == scene.seen[-1:]


def test_times_change_with_what_they_are_the_times_of(scene: Scene) -> None:
    first = scene.look(pod(), running())
    assert first.start_time == NOW
    assert {each.last_transition_time for each in first.conditions} == {NOW}
    scene.clock.seconds += 60
    later = scene.look(pod(), exited(exit_code=1))
    assert later.start_time == NOW
    changed = {each.type for each in later.conditions if each.last_transition_time != NOW}
    assert changed == {"Ready", "ContainersReady"}


def test_what_the_api_knows_is_the_beginning(scene: Scene) -> None:
    known = PodStatus(
        phase="Running",
        start_time=EARLIER,
        container_statuses=(shown("main", count=4),),
        conditions=(condition("PodScheduled", last_transition_time=EARLIER),),
    )
    status = scene.look(replace(pod(), status=known), running())
    assert (status.start_time, status.container_statuses[0].restart_count) == (EARLIER, 4)
    scheduled = find(status.conditions, "PodScheduled")
    assert scheduled is not None
    assert scheduled.last_transition_time == EARLIER


@pytest.mark.parametrize(("config_hash", "expected"), [("abc", EARLIER), ("other", NOW)])
def test_of_a_static_pod_its_own_mirror_is(scene: Scene, config_hash: str, expected: object) -> None:
    of = pod(source="file")
    of = replace(of, metadata=replace(of.metadata, annotations={**of.metadata.annotations, CONFIG_HASH: "abc"}))
    scene.mirrors["web"] = replace(
        of,
        metadata=replace(of.metadata, uid="mirror", annotations={CONFIG_MIRROR: config_hash}),
        status=PodStatus(start_time=EARLIER),
    )
    assert scene.look(of, running()).start_time == expected


def test_of_a_mirror_only_sidecars_are_remembered_among_init_containers(scene: Scene) -> None:
    init = (container("fetch"), container("side", restart_policy="Always"))
    of = pod(source="file", init_containers=init)
    of = replace(of, metadata=replace(of.metadata, annotations={**of.metadata.annotations, CONFIG_HASH: "abc"}))
    completed = shown("fetch", state=ContainerState(terminated=ContainerStateTerminated(exit_code=0)))
    scene.mirrors["web"] = replace(
        of,
        metadata=replace(of.metadata, uid="mirror", annotations={CONFIG_MIRROR: "abc"}),
        status=PodStatus(init_container_statuses=(completed, shown("side", count=2))),
    )
    fetch, side = scene.look(of, running()).init_container_statuses
    assert fetch.state is not None
    assert fetch.state.terminated is not None
    assert "Unable to get init container status" in fetch.state.terminated.message
    assert side.restart_count == 3  # its instance is lost


def test_a_deleted_pods_status_is_delivered_each_time(scene: Scene) -> None:
    of = pod(deleted=NOW)
    scene.look(of, running())
    scene.look(of, running())
    assert [each.version for each in scene.seen] == [1, 2]


# -- failures


def test_a_container_that_cannot_start_says_so_until_it_has(scene: Scene) -> None:
    scene.keeper.note_failure(pod(), ContainerFailure("main", "ErrImagePull", "not found"))
    (status,) = scene.look(pod()).container_statuses
    assert status.state == waits("ErrImagePull", "not found")
    scene.keeper.note_success(pod(), "main")
    (status,) = scene.look(pod()).container_statuses
    assert status.state == waits()


# -- ends


def test_a_terminal_phase_is_shown_once_nothing_runs(scene: Scene) -> None:
    of = pod(restart_policy="Never")
    scene.may_run = True
    scene.look(of, running())
    status = scene.look(of, exited())
    assert status.phase == "Succeeded"
    assert scene.shown.phase == "Running"
    scene.look(of, exited(), is_terminal=True)
    assert len(scene.seen) == 2
    scene.may_run = False
    scene.look(of, exited(), is_terminal=True)
    assert scene.shown.phase == "Succeeded"
    assert [each.shown.phase for each in scene.seen] == ["Running", "Running", "Succeeded"]


def test_a_pod_that_has_ended_never_runs_again(scene: Scene) -> None:
    of = pod(restart_policy="Never")
    scene.look(of, exited(exit_code=1))
    assert scene.look(of, running(attempt=1)).phase == "Failed"
    assert scene.manager.set(of, PodStatus(phase="Running")).phase == "Failed"


def test_nothing_is_left(scene: Scene) -> None:
    scene.look(pod(), running())
    scene.keeper.terminate(pod())
    status = scene.shown
    end = status.container_statuses[0].state.terminated
    assert end is not None
    assert (status.phase, end.reason) == ("Failed", "ContainerStatusUnknown")
    assert scene.verdict("Ready") == ("False", "PodFailed")
    assert scene.seen[-1].is_finished
    scene.look(pod(deleted=NOW))
    assert scene.seen[-1].is_finished


def test_a_pod_of_which_the_agent_never_had_a_status_ends_as_well(scene: Scene) -> None:
    scene.keeper.terminate(pod())
    assert (scene.shown.phase, scene.seen[-1].version) == ("Failed", 1)


def test_the_reason_why_a_pod_is_ended_is_shown_when_it_has_ended(scene: Scene) -> None:
    of = pod()
    scene.may_run = True
    scene.look(of, running())
    status = done(scene.manager.build(of, observed(running())))
    target = condition("DisruptionTarget", reason="TerminationByKubelet")
    evicted = replace(status, phase="Failed", reason="Evicted", conditions=(*status.conditions, target))
    scene.manager.set(of, evicted)
    assert (scene.shown.phase, find(scene.shown.conditions, "DisruptionTarget")) == ("Running", None)
    scene.may_run = False
    scene.clock.seconds += 30
    assert scene.look(of, exited(exit_code=137), is_terminal=True).reason == "Evicted"
    found = find(scene.shown.conditions, "DisruptionTarget")
    assert found is not None
    assert (found.reason, scene.shown.phase) == ("TerminationByKubelet", "Failed")
    assert found.last_transition_time is not None
    assert found.last_transition_time.timestamp() == NOW.timestamp() + 30
    scene.look(of, exited(exit_code=137), is_terminal=True)
    assert find(scene.shown.conditions, "DisruptionTarget") == found


def test_a_pod_that_is_preempted_and_ends_well_has_succeeded(scene: Scene) -> None:
    of = pod()
    scene.may_run = True
    status = scene.look(of, running())
    target = condition("DisruptionTarget", reason="TerminationByKubelet")
    ending = replace(status, phase="Failed", reason="Preempting", conditions=(*status.conditions, target))
    scene.manager.set(of, ending)
    scene.may_run = False
    status = scene.look(of, exited(), is_terminal=True)
    assert (status.phase, status.reason, scene.shown.phase) == ("Succeeded", "", "Succeeded")
    assert find(scene.shown.conditions, "DisruptionTarget") is not None
    scene.look(of, exited(exit_code=1), is_terminal=True)
    assert scene.shown.phase == "Succeeded"


# -- refusals


def test_a_refused_pod_has_failed(scene: Scene) -> None:
    theirs = condition("example.com/in")
    of = replace(pod(), status=PodStatus(phase="Pending", conditions=(theirs,)))
    scene.statuses.refuse(of, "OutOfcpu", "Node didn't have enough resource: cpu")
    status = scene.shown
    assert (status.phase, status.reason) == ("Failed", "OutOfcpu")
    assert status.message == "Pod was rejected: Node didn't have enough resource: cpu"
    assert (status.qos_class, status.conditions, status.start_time) == ("BestEffort", (theirs,), NOW)
    assert scene.manager.is_refused(UID)
    assert not scene.manager.is_refused("uid-other")


def test_one_that_was_refused_before_the_first_round_is_shown_after_it(scene: Scene) -> None:
    scene.may_run = True
    scene.statuses.refuse(pod(), "OutOfpods", "too many")
    assert scene.shown.phase == "Pending"
    scene.manager.retain({UID})
    assert len(scene.seen) == 1
    scene.may_run = False
    scene.manager.retain({UID})
    assert (scene.shown.phase, scene.seen[-1].version) == ("Failed", 2)
    scene.manager.retain({UID})
    assert len(scene.seen) == 2


def test_pods_that_are_gone_are_forgotten(scene: Scene) -> None:
    scene.look(pod(), running())
    scene.statuses.refuse(pod("other"), "OutOfcpu", "")
    scene.keeper.note_failure(pod(), ContainerFailure("main", "ErrImagePull", ""))
    scene.manager.retain({"uid-other"})
    assert scene.manager.get(UID) is None
    assert scene.manager.is_refused("uid-other")
    assert scene.look(pod()).container_statuses[0].state == waits()
    scene.manager.retain(())
    assert not scene.manager.is_refused("uid-other")
    assert scene.manager.all() == []


# -- probes


def test_readiness_is_shown_at_once(scene: Scene) -> None:
    of = pod(containers=(container(readiness_probe=PROBE),))
    scene.look(of, running())
    assert scene.verdict("Ready") == ("False", "ContainersNotReady")
    scene.clock.seconds += 5
    scene.statuses.set_ready(UID, "main-0", ready=True)
    assert scene.verdict("Ready") == scene.verdict("ContainersReady") == ("True", "")
    ready = find(scene.shown.conditions, "Ready")
    assert ready is not None
    assert ready.last_transition_time is not None
    assert ready.last_transition_time.timestamp() == NOW.timestamp() + 5
    scene.statuses.set_ready(UID, "main-0", ready=False)
    assert scene.verdict("Ready") == ("False", "ContainersNotReady")
    assert len(scene.seen) == 3


def test_so_is_a_start(scene: Scene) -> None:
    side = container("side", restart_policy="Always", startup_probe=PROBE)
    of = pod(init_containers=(side,))
    scene.look(of, running("side"))
    assert scene.verdict("Initialized") == ("False", "ContainersNotInitialized")
    scene.statuses.set_started(UID, "side-0", started=True)
    status = scene.manager.get(UID)
    assert status is not None
    assert status.init_container_statuses[0].started
    assert scene.verdict("Initialized") == ("True", "")


def test_a_finding_about_nothing_that_is_known_changes_nothing(scene: Scene) -> None:
    scene.statuses.set_ready(UID, "main-0", ready=True)
    scene.look(pod(), running())
    scene.statuses.set_ready(UID, "main-0", ready=True)
    scene.statuses.set_ready(UID, "main-7", ready=False)
    scene.statuses.set_started(UID, "main-7", started=False)
    scene.pods.clear()
    scene.statuses.set_ready(UID, "main-0", ready=False)
    assert len(scene.seen) == 1


def test_findings_reach_the_builder(scene: Scene) -> None:
    scene.findings["main-0", ProbeKind.READINESS] = ProbeResult.SUCCESS
    assert scene.look(pod(containers=(container(readiness_probe=PROBE),)), running()).container_statuses[0].ready


def test_a_readiness_gate_that_others_open(scene: Scene) -> None:
    of = pod(readiness_gates=(PodReadinessGate(condition_type="example.com/in"),))
    status = scene.look(of, running())
    assert scene.verdict("Ready") == ("False", "ReadinessGatesNotReady")
    api = replace(of, status=replace(status, conditions=(*status.conditions, condition("example.com/in"))))
    assert scene.manager.needs_reconcile(api)
    status = scene.look(api, running())
    assert scene.verdict("Ready") == ("True", "")
    assert find(scene.shown.conditions, "example.com/in") is not None
    assert not scene.manager.needs_reconcile(replace(api, status=status))


# -- watchers


def test_a_watcher_that_fails_hinders_nobody(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: VersionedStatus) -> None:
        raise ValueError("broken")

    later: list[VersionedStatus] = []
    stop = scene.manager.on_change(fail)
    scene.manager.on_change(later.append)
    assert scene.look(pod(), running()).phase == "Running"
    assert len(later) == 1
    assert "a watcher of statuses failed" in caplog.text
    stop()
    caplog.clear()
    scene.look(pod(), exited(exit_code=1))
    assert (len(later), caplog.text) == (2, "")


# -- messages


async def test_a_message_is_read_before_the_status_is_built(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    file = tmp_path / "pods" / UID / "containers" / "main" / "log"
    file.parent.mkdir(parents=True)
    file.write_text("last words")
    instance = exited(exit_code=1, mounts=(MountStatus(container_path="/m", host_path=str(file)),))
    instance.annotations[TERMINATION_MESSAGE_PATH] = "/m"
    status = scene.manager.set(pod(), await scene.manager.build(pod(), observed(instance)))
    end = status.container_statuses[0].state.terminated
    assert end is not None
    assert end.message == "last words"
