"""From two statuses of a pod to what is shown."""

from __future__ import annotations

import pytest

from podwright.agent.run.changes import PodChange, changes
from podwright.agent.run.reporter import describe
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    PodStatus,
    Probe,
)
from tests.agent.fakes.pods import container, pod
from tests.agent.run.build import START

POD = pod(
    containers=(container("main"), container("probed", readiness_probe=Probe())),
    init_containers=(container("init"), container("side", restart_policy="Always")),
)
RUNNING = ContainerState(running=ContainerStateRunning(started_at=START))
NOTHING = PodStatus()


def waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))


def end(number: int, code: int = 0, *, ran: bool = True, message: str = "") -> ContainerState:
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=code,
            container_id=f"x://{number}",
            reason="Error" if code else "Completed",
            started_at=START if ran else None,
            message=message,
        )
    )


def status(
    number: int,
    state: ContainerState,
    last: ContainerState | None = None,
    *,
    name: str = "main",
    restarts: int = 0,
    ready: bool = False,
    phase: str = "",
) -> PodStatus:
    """A pod with one container, whose instance has that number."""
    one = ContainerStatus(
        name=name,
        image="",
        image_id="",
        ready=ready,
        restart_count=restarts,
        container_id=f"x://{number}" if number else "",
        state=state,
        last_state=last or ContainerState(),
    )
    if name in ("init", "side"):
        return PodStatus(phase=phase, init_container_statuses=(one,))
    return PodStatus(phase=phase, container_statuses=(one,))


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        pytest.param(NOTHING, status(0, waiting("ContainerCreating")), [], id="the usual wait"),
        pytest.param(
            NOTHING,
            status(0, waiting("ErrImagePull", "no such image")),
            ["container main: waiting (ErrImagePull): no such image"],
            id="a wait with a reason",
        ),
        pytest.param(
            status(0, waiting("ErrImagePull", "a")), status(0, waiting("ErrImagePull", "b")), [], id="the same reason"
        ),
        pytest.param(NOTHING, status(1, RUNNING), ["container main: running"], id="it runs"),
        pytest.param(status(1, RUNNING), status(1, RUNNING), [], id="it still runs"),
        pytest.param(
            status(1, RUNNING),
            status(1, end(1, 3, message="bad\nluck")),
            ["container main: exited with code 3 (Error): bad\nluck"],
            id="it ends",
        ),
        pytest.param(status(1, end(1)), status(1, end(1)), [], id="it has ended"),
        pytest.param(
            NOTHING,
            status(1, end(1)),
            ["container main: running", "container main: exited with code 0 (Completed)"],
            id="it ran between two looks",
        ),
        pytest.param(
            NOTHING,
            status(1, end(1, 128, ran=False)),
            ["container main: exited with code 128 (Error)"],
            id="it never ran",
        ),
        pytest.param(
            status(1, end(1, 1)),
            status(1, waiting("CrashLoopBackOff", "back-off 10s"), end(1, 1)),
            ["container main: waiting (CrashLoopBackOff): back-off 10s"],
            id="it waits for a restart",
        ),
        pytest.param(
            status(1, RUNNING),
            status(1, waiting("CrashLoopBackOff"), end(1, 1)),
            ["container main: exited with code 1 (Error)", "container main: waiting (CrashLoopBackOff)"],
            id="it ended and waits",
        ),
        pytest.param(
            status(1, waiting("CrashLoopBackOff"), end(1, 1)),
            status(2, RUNNING, end(1, 1), restarts=1),
            ["container main: running, restart 1"],
            id="it runs again",
        ),
        pytest.param(
            status(1, RUNNING),
            status(2, RUNNING, end(1, 1), restarts=1),
            ["container main: exited with code 1 (Error)", "container main: running, restart 1"],
            id="it ended and runs again",
        ),
        pytest.param(
            status(1, RUNNING),
            status(2, end(2, 4), end(1, 1), restarts=1),
            [
                "container main: exited with code 1 (Error)",
                "container main: running, restart 1",
                "container main: exited with code 4 (Error), restart 1",
            ],
            id="two ends between two looks",
        ),
        pytest.param(
            status(1, RUNNING, name="probed"),
            status(1, RUNNING, name="probed", ready=True),
            ["container probed: ready"],
            id="a probe succeeds",
        ),
        pytest.param(
            status(1, RUNNING, name="probed", ready=True),
            status(1, RUNNING, name="probed"),
            ["container probed: not ready"],
            id="a probe fails",
        ),
        pytest.param(
            status(1, RUNNING), status(1, RUNNING, ready=True), [], id="readiness without a probe says nothing"
        ),
        pytest.param(
            NOTHING,
            status(1, end(1), name="init"),
            ["init container init: running", "init container init: exited with code 0 (Completed)"],
            id="an init container",
        ),
        pytest.param(NOTHING, status(1, RUNNING, name="side"), ["init container side: running"], id="a sidecar"),
    ],
)
def test_changes_of_a_container(before: PodStatus, now: PodStatus, lines: list[str]) -> None:
    found = [describe(change) for change in changes(POD, before, now) if not isinstance(change, PodChange)]
    assert found == lines


def test_a_container_is_named_with_its_pod_where_there_are_several() -> None:
    (change,) = changes(POD, NOTHING, status(1, RUNNING), label="web")
    assert not isinstance(change, PodChange)
    assert describe(change) == "container web/main: running"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(NOTHING, PodStatus(phase="Pending"), [], id="pending"),
        pytest.param(
            PodStatus(phase="Pending"), PodStatus(phase="Running"), [PodChange(phase="Running")], id="running"
        ),
        pytest.param(PodStatus(phase="Running"), PodStatus(phase="Running"), [], id="still running"),
        pytest.param(
            PodStatus(phase="Running"),
            PodStatus(phase="Failed", reason="Evicted", message="too much"),
            [PodChange(phase="Failed", message="Evicted: too much")],
            id="evicted",
        ),
    ],
)
def test_changes_of_the_pod(before: PodStatus, now: PodStatus, expected: list[PodChange]) -> None:
    assert list(changes(POD, before, now)) == expected


def test_the_end_of_a_container_comes_before_that_of_its_pod() -> None:
    found = list(changes(POD, status(1, RUNNING, phase="Running"), status(1, end(1), phase="Succeeded")))
    assert [type(change).__name__ for change in found] == ["ContainerChange", "PodChange"]


def test_a_container_that_never_ran_has_no_end() -> None:
    unseen = ContainerState(terminated=ContainerStateTerminated(exit_code=137, reason="ContainerStatusUnknown"))
    now = PodStatus(phase="Failed", container_statuses=status(0, unseen).container_statuses)
    assert [each for each in changes(POD, NOTHING, now) if not isinstance(each, PodChange)] == []


def test_an_instance_that_comes_back_as_the_last_one_is_not_shown_again() -> None:
    waits = status(1, waiting("CrashLoopBackOff"), end(1, 7), restarts=1)
    ends = status(1, end(1, 7), end(0, 7), restarts=1)
    assert [each for each in changes(POD, waits, ends) if not isinstance(each, PodChange)] == []
