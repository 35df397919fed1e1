"""The last status of a pod."""

from __future__ import annotations

import pytest

from podwright.agent.status.conditions import find
from podwright.agent.status.endings import ended_status
from podwright.k8s.objects import ContainerState, ContainerStatus, PodStatus
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import RUNS, condition, ended, shown, waits

INIT = (container("i1"), container("i2"))
SIDECAR = container("side", restart_policy="Always")
UNKNOWN = "ContainerStatusUnknown"


def reasons(statuses: tuple[ContainerStatus, ...]) -> list[str]:
    """How each container is said to have ended; empty for one that is not."""
    return [each.state.terminated.reason if each.state.terminated else "" for each in statuses]


@pytest.mark.parametrize(
    ("state", "reason"), [(RUNS, UNKNOWN), (waits(), UNKNOWN), (ended(0), "Completed"), (ended(1), "Error")]
)
def test_a_container_whose_end_nobody_saw_has_failed(state: ContainerState, reason: str) -> None:
    status = ended_status(pod(), PodStatus(phase="Running", container_statuses=(shown(state=state, ready=True),)))
    assert reasons(status.container_statuses) == [reason]
    if reason == UNKNOWN:
        (only,) = status.container_statuses
        assert only.state.terminated is not None
        assert (only.state.terminated.exit_code, only.ready, only.started) == (137, False, False)


@pytest.mark.parametrize(
    ("phase", "source", "expected"),
    [
        ("Pending", "api", "Failed"),
        ("Running", "api", "Failed"),
        ("Succeeded", "api", "Succeeded"),
        ("Failed", "api", "Failed"),
        ("", "api", "Failed"),
        ("Running", "file", "Running"),
    ],
)
def test_the_phase_is_terminal(phase: str, source: str, expected: str) -> None:
    assert ended_status(pod(source=source), PodStatus(phase=phase)).phase == expected


@pytest.mark.parametrize(
    ("i1", "i2", "main", "expected"),
    [
        (shown("i1", waits()), shown("i2", waits()), shown("main", waits()), [UNKNOWN, "", ""]),
        (shown("i1", RUNS), shown("i2", waits()), shown("main", waits()), [UNKNOWN, "", ""]),
        (shown("i1", ended()), shown("i2", RUNS), shown("main", waits()), ["Completed", UNKNOWN, ""]),
        (shown("i1", ended()), shown("i2", ended(1)), shown("main", waits()), ["Completed", "Error", ""]),
        (
            shown("i1", waits()),
            shown("i2", waits("CrashLoopBackOff"), ended(1)),
            shown("main", waits()),
            [UNKNOWN, UNKNOWN, ""],
        ),
        (shown("i1", ended()), shown("i2", ended()), shown("main", waits()), ["Completed", "Completed", UNKNOWN]),
        (shown("i1", ended()), shown("i2", RUNS, ended()), shown("main", waits()), ["Completed", UNKNOWN, UNKNOWN]),
        (
            shown("i1", waits()),
            shown("i2", waits()),
            shown("main", waits("CrashLoopBackOff"), ended(1)),
            [UNKNOWN, "", UNKNOWN],
        ),
    ],
)
def test_only_containers_that_may_have_run_have_failed(
    i1: ContainerStatus, i2: ContainerStatus, main: ContainerStatus, expected: list[str]
) -> None:
    before = PodStatus(phase="Pending", init_container_statuses=(i1, i2), container_statuses=(main,))
    status = ended_status(pod(init_containers=INIT), before)
    assert reasons((*status.init_container_statuses, *status.container_statuses)) == expected


@pytest.mark.parametrize(("started", "expected"), [(True, UNKNOWN), (False, "")])
def test_a_sidecar_that_started_lets_the_regular_containers_start(started: bool, expected: str) -> None:
    before = PodStatus(
        phase="Pending",
        init_container_statuses=(shown("side", RUNS, started=started),),
        container_statuses=(shown("main", waits()),),
    )
    assert reasons(ended_status(pod(init_containers=(SIDECAR,)), before).container_statuses) == [expected]


def test_without_statuses_of_init_containers_nothing_is_known() -> None:
    before = PodStatus(phase="Pending", container_statuses=(shown("main", waits()),))
    status = ended_status(pod(init_containers=INIT), before)
    assert reasons(status.container_statuses) == [""]


def test_the_pod_is_not_ready() -> None:
    before = PodStatus(phase="Running", container_statuses=(shown(ready=True),), conditions=(condition("Ready"),))
    found = find(ended_status(pod(), before).conditions, "Ready")
    assert found is not None
    assert (found.status, found.reason) == ("False", "PodFailed")
