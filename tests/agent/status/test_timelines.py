"""What the API shows over the life of a pod: the timelines that people and controllers know of the kubelet."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.conditions import find
from podwright.k8s.objects import ContainerStatus, Pod, PodStatus
from tests.agent.fakes.observed import created, exited, observed, running, sandbox
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import NOW
from tests.agent.status.test_manager import UID, Scene, done

NOTHING = observed(sandboxes=())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.may_run = True
    return scene


def look(scene: Scene, of: Pod, seen: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
    """What is shown after a look."""
    scene.clock.seconds += 1
    scene.manager.set(of, done(scene.manager.build(of, seen, is_terminal=is_terminal)))
    return scene.shown


def words(status: PodStatus, name: str = "main") -> tuple[str, str, str, int]:
    """(phase, state, reason of the state, restarts)."""
    each = next(each for each in (*status.init_container_statuses, *status.container_statuses) if each.name == name)
    return status.phase, *_state(each), each.restart_count


def _state(status: ContainerStatus) -> tuple[str, str]:
    state = status.state
    if state.running is not None:
        return "running", ""
    if state.terminated is not None:
        return "terminated", state.terminated.reason
    assert state.waiting is not None
    return "waiting", state.waiting.reason


def conditions(status: PodStatus) -> dict[str, str]:
    return {each.type: each.status for each in status.conditions}


def test_a_pod_of_one_container(scene: Scene) -> None:
    of = pod()
    status = look(scene, of, NOTHING)
    assert words(status) == ("Pending", "waiting", "ContainerCreating", 0)
    assert conditions(status) == {
        "PodReadyToStartContainers": "False",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodScheduled": "True",
    }
    assert (status.host_ip, status.pod_ip, status.qos_class) == ("192.0.2.1", "", "BestEffort")
    assert status.start_time is not None
    status = look(scene, of, observed())
    assert (conditions(status)["PodReadyToStartContainers"], status.pod_ip) == ("True", "10.0.0.1")
    assert words(look(scene, of, observed(created())))[0] == "Pending"
    status = look(scene, of, observed(running()))
    assert words(status) == ("Running", "running", "", 0)
    assert set(conditions(status).values()) == {"True"}


def test_an_image_that_cannot_be_pulled(scene: Scene) -> None:
    of = pod()
    for reason in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull"):
        scene.manager.note_failure(of, ContainerFailure("main", reason, "not found"))
        assert words(look(scene, of, observed())) == ("Pending", "waiting", reason, 0)


def test_a_container_that_crashes(scene: Scene) -> None:
    of = pod()
    look(scene, of, observed(running()))
    assert words(look(scene, of, observed(exited(exit_code=1)))) == ("Running", "terminated", "Error", 0)
    status = look(scene, of, observed(running(attempt=1), exited(exit_code=1)))
    assert words(status) == ("Running", "running", "", 1)
    assert status.container_statuses[0].last_state.terminated is not None
    scene.manager.note_failure(of, ContainerFailure("main", "CrashLoopBackOff", "back-off 10s"))
    status = look(scene, of, observed(exited(exit_code=1, attempt=1), exited(exit_code=1)))
    assert words(status) == ("Running", "waiting", "CrashLoopBackOff", 1)
    last = status.container_statuses[0].last_state.terminated
    assert last is not None
    assert last.container_id == "containerd://main-1"
    scene.manager.note_success(of, "main")
    assert words(look(scene, of, observed(running(attempt=2)))) == ("Running", "running", "", 2)


@pytest.mark.parametrize(
    ("exit_code", "phase", "reason", "ready"),
    [(0, "Succeeded", "Completed", "PodCompleted"), (3, "Failed", "Error", "PodFailed")],
)
def test_a_job(scene: Scene, exit_code: int, phase: str, reason: str, ready: str) -> None:
    of = pod(restart_policy="Never")
    look(scene, of, observed(running()))
    ended = exited(exit_code=exit_code)
    assert look(scene, of, observed(ended)).phase == "Running"
    stopped = observed(ended, sandboxes=(sandbox(ready=False),))
    look(scene, of, stopped, is_terminal=True)
    scene.may_run = False
    status = look(scene, of, stopped, is_terminal=True)
    assert words(status) == (phase, "terminated", reason, 0)
    found = find(status.conditions, "Ready")
    assert found is not None
    assert (found.status, found.reason) == ("False", ready)
    assert status.pod_ip == "10.0.0.1"
    scene.manager.terminate(of)
    assert words(scene.shown) == words(status)


def test_a_pod_that_is_deleted(scene: Scene) -> None:
    look(scene, pod(), observed(running()))
    of = pod(deleted=NOW)
    assert look(scene, of, observed(running())).phase == "Running"
    gone = observed(exited(exit_code=143), sandboxes=(sandbox(ready=False),))
    assert words(look(scene, of, gone, is_terminal=True)) == ("Running", "terminated", "Error", 0)
    scene.may_run = False
    assert words(look(scene, of, gone, is_terminal=True)) == ("Failed", "terminated", "Error", 0)
    assert not scene.seen[-1].is_finished
    scene.manager.terminate(of)
    assert scene.seen[-1].is_finished


def test_init_containers_one_after_the_other(scene: Scene) -> None:
    side = container("side", restart_policy="Always")
    of = pod(init_containers=(container("init"), side))
    assert words(look(scene, of, observed())) == ("Pending", "waiting", "PodInitializing", 0)
    status = look(scene, of, observed(running("init")))
    assert words(status, "init") == ("Pending", "running", "", 0)
    assert words(status, "side") == ("Pending", "waiting", "PodInitializing", 0)
    status = look(scene, of, observed(exited("init"), running("side")))
    assert words(status, "init") == ("Pending", "terminated", "Completed", 0)
    assert conditions(status)["Initialized"] == "True"
    status = look(scene, of, observed(exited("init"), running("side"), running()))
    assert words(status) == ("Running", "running", "", 0)
    assert conditions(status)["Ready"] == "True"
    status = look(scene, of, observed(exited("init"), exited("side", 1), running()))
    assert (status.phase, conditions(status)["Initialized"], conditions(status)["Ready"]) == (
        "Running",
        "True",
        "False",
    )


def test_a_node_that_was_restarted(scene: Scene) -> None:
    """All containers have ended with their sandbox; a new sandbox follows."""
    of = pod()
    look(scene, of, observed(running()))
    lost = observed(exited(exit_code=137), sandboxes=(sandbox(ready=False),))
    status = look(scene, of, lost)
    assert words(status) == ("Running", "terminated", "Error", 0)
    assert (conditions(status)["PodReadyToStartContainers"], status.pod_ip) == ("False", "10.0.0.1")
    new = observed(
        running(attempt=1), exited(exit_code=137), sandboxes=(sandbox(1, ips=("10.0.0.2",)), sandbox(ready=False))
    )
    status = look(scene, of, new)
    assert (words(status), status.pod_ip) == (("Running", "running", "", 1), "10.0.0.2")


def test_an_agent_that_was_restarted_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    of = pod()
    look(scene, of, observed(running(attempt=2), exited(exit_code=1, attempt=1)))
    status = scene.shown
    again = Scene(tmp_path)
    again.may_run = True
    again.clock.seconds += 3600
    from_api = look(again, _with_status(of, status), observed(running(attempt=2)))
    assert from_api == status
    assert again.manager.get(UID) == scene.manager.get(UID)


def _with_status(of: Pod, status: PodStatus) -> Pod:
    return Pod(metadata=of.metadata, spec=of.spec, status=status)
