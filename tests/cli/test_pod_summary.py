"""A pod in one line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from podwright.cli.pod_summary import summarise
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
)
from tests.agent.fakes.pods import container, pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = ContainerState(running=ContainerStateRunning())
INIT = (container("init"), container("second"))
SIDECAR = (container("side", restart_policy="Always"),)


def waits(reason: str) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason))


def ended(code: int, reason: str = "", signal: int = 0) -> ContainerState:
    end = ContainerStateTerminated(exit_code=code, reason=reason, signal=signal, finished_at=NOW)
    return ContainerState(terminated=end)


def one(
    state: ContainerState,
    *,
    name: str = "main",
    ready: bool = False,
    restarts: int = 0,
    last: ContainerState | None = None,
    started: bool | None = None,
) -> ContainerStatus:
    return ContainerStatus(
        name=name,
        image="",
        image_id="",
        ready=ready,
        restart_count=restarts,
        state=state,
        last_state=last or ContainerState(),
        started=started,
    )


def condition(kind: str, status: str = "True", reason: str = "") -> PodCondition:
    return PodCondition(type=kind, status=status, reason=reason)


def shown(made: Pod, **status: object) -> tuple[str, str, int]:
    summary = summarise(replace(made, status=PodStatus(**status)))  # type: ignore[arg-type]
    return f"{summary.ready}/{summary.containers}", summary.status, summary.restarts


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"phase": "Pending"}, ("0/1", "Pending", 0), id="pending"),
        pytest.param(
            {"phase": "Running", "container_statuses": (one(RUNNING, ready=True),)},
            ("1/1", "Running", 0),
            id="running",
        ),
        pytest.param({"phase": "Running", "container_statuses": (one(RUNNING),)}, ("0/1", "Running", 0), id="unready"),
        pytest.param(
            {"phase": "Pending", "container_statuses": (one(waits("ErrImagePull")),)},
            ("0/1", "ErrImagePull", 0),
            id="no image",
        ),
        pytest.param(
            {
                "phase": "Running",
                "container_statuses": (one(waits("CrashLoopBackOff"), restarts=3, last=ended(1)),),
            },
            ("0/1", "CrashLoopBackOff", 3),
            id="it crashes",
        ),
        pytest.param(
            {"phase": "Succeeded", "container_statuses": (one(ended(0, "Completed")),)},
            ("0/1", "Completed", 0),
            id="completed",
        ),
        pytest.param(
            {"phase": "Failed", "container_statuses": (one(ended(3, "Error")),)}, ("0/1", "Error", 0), id="failed"
        ),
        pytest.param({"phase": "Failed", "container_statuses": (one(ended(3)),)}, ("0/1", "ExitCode:3", 0), id="code"),
        pytest.param(
            {"phase": "Failed", "container_statuses": (one(ended(9, signal=9)),)}, ("0/1", "Signal:9", 0), id="signal"
        ),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, ("0/1", "Evicted", 0), id="evicted"),
        pytest.param(
            {"phase": "Pending", "conditions": (condition("PodScheduled", "False", "SchedulingGated"),)},
            ("0/1", "SchedulingGated", 0),
            id="gated",
        ),
        pytest.param(
            {
                "phase": "Running",
                "conditions": (condition("Ready"),),
                "container_statuses": (one(ended(0, "Completed")), one(RUNNING, name="b", ready=True)),
            },
            ("1/1", "Running", 0),
            id="one of two has completed",
        ),
        pytest.param(
            {
                "phase": "Running",
                "container_statuses": (one(ended(0, "Completed")), one(RUNNING, name="b", ready=True)),
            },
            ("1/1", "NotReady", 0),
            id="one of two has completed, the pod is not ready",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "container_statuses": (one(ended(0, "Completed")), one(ended(1, "Error"), name="b")),
            },
            ("0/1", "Error", 0),
            id="one of two has failed",
        ),
    ],
)
def test_regular_containers(status: dict[str, object], expected: tuple[str, str, int]) -> None:
    assert shown(pod(), **status) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param((one(RUNNING, name="init"),), ("0/1", "Init:0/2", 0), id="the first runs"),
        pytest.param(
            (one(ended(0), name="init"), one(waits("PodInitializing"), name="second")),
            ("0/1", "Init:1/2", 0),
            id="the second is next",
        ),
        pytest.param((one(waits("ErrImagePull"), name="init"),), ("0/1", "Init:ErrImagePull", 0), id="no image"),
        pytest.param((one(ended(1, "Error"), name="init", restarts=2),), ("0/1", "Init:Error", 2), id="it has failed"),
        pytest.param((one(ended(7), name="init"),), ("0/1", "Init:ExitCode:7", 0), id="it has failed with a code"),
        pytest.param((one(ended(9, signal=9), name="init"),), ("0/1", "Init:Signal:9", 0), id="killed"),
        pytest.param(
            (one(ended(0), name="init", restarts=2), one(ended(0), name="second")),
            ("0/1", "Pending", 0),
            id="restarts of init containers that are done do not count",
        ),
    ],
)
def test_init_containers(statuses: tuple[ContainerStatus, ...], expected: tuple[str, str, int]) -> None:
    assert shown(pod(init_containers=INIT), phase="Pending", init_container_statuses=statuses) == expected


def test_a_sidecar_counts_as_a_container() -> None:
    expected = ("2/2", "Running", 5)
    assert (
        shown(
            pod(init_containers=SIDECAR),
            phase="Running",
            init_container_statuses=(one(RUNNING, name="side", ready=True, restarts=2, started=True),),
            container_statuses=(one(RUNNING, ready=True, restarts=3),),
        )
        == expected
    )


@pytest.mark.parametrize(
    ("phase", "reason", "expected"),
    [("Running", "", "Terminating"), ("Running", "NodeLost", "Unknown"), ("Succeeded", "", "Succeeded")],
)
def test_a_pod_that_is_deleted(phase: str, reason: str, expected: str) -> None:
    assert shown(pod(deleted=NOW), phase=phase, reason=reason)[1] == expected


def test_the_last_restart_has_a_time() -> None:
    statuses = (one(RUNNING, restarts=1, last=ended(1)),)
    made = replace(pod(), status=PodStatus(phase="Running", container_statuses=statuses))
    assert summarise(made).last_restart == NOW
