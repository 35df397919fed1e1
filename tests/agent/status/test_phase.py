"""The phase of a pod, case by case."""

from __future__ import annotations

import pytest

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.phase import has_begun, phase_of
from podwright.k8s.objects import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ContainerStatus,
    Pod,
)
from tests.agent.fakes.observed import created, exited, observed, running, sandbox
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import NONE, RUNS, ended, shown, waits

TWO = (container("a"), container("b"))
SIDECAR = container("side", restart_policy="Always")
INIT = container("init")
RETRIED = container(
    "a",
    restart_policy="Never",
    restart_policy_rules=(
        ContainerRestartRule(
            action="Restart", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(42,))
        ),
    ),
)


def phase(
    *statuses: ContainerStatus,
    policy: str = "Always",
    containers: tuple[Container, ...] = (container("a"),),
    init: tuple[Container, ...] = (),
    is_terminal: bool = False,
    begun: bool = False,
    source: str = "api",
) -> str:
    of = pod(source=source, containers=containers, init_containers=init, restart_policy=policy)
    by_name = {status.name: status for status in statuses}
    return phase_of(of, by_name, is_terminal=is_terminal, has_begun=begun)


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", (), "Pending"),
        ("Always", (waits(),), "Pending"),
        ("Always", (NONE,), "Pending"),
        ("Always", (RUNS,), "Running"),
        ("Always", (ended(0),), "Running"),
        ("Always", (ended(1),), "Running"),
        ("OnFailure", (ended(0),), "Succeeded"),
        ("OnFailure", (ended(1),), "Running"),
        ("Never", (ended(0),), "Succeeded"),
        ("Never", (ended(1),), "Failed"),
        ("Never", (RUNS, RUNS), "Running"),
        ("Never", (RUNS,), "Running"),
        ("Never", (RUNS, ended(1)), "Running"),
        ("Never", (RUNS, waits()), "Pending"),
        ("Never", (ended(0), ended(0)), "Succeeded"),
        ("Never", (ended(0), ended(3)), "Failed"),
        ("OnFailure", (ended(0), ended(3)), "Running"),
        ("Never", (ended(0), waits()), "Pending"),
    ],
)
def test_regular_containers(policy: str, states: tuple[object, ...], expected: str) -> None:
    containers = TWO[: max(len(states), 1)]
    statuses = [shown(name, state) for name, state in zip("ab", states, strict=False)]  # type: ignore[arg-type]
    assert phase(*statuses, policy=policy, containers=containers) == expected


def test_a_container_without_a_status_makes_the_phase_pending() -> None:
    assert phase(shown("a"), containers=TWO) == "Pending"


@pytest.mark.parametrize(
    ("policy", "last", "expected"),
    [("Always", 1, "Running"), ("OnFailure", 1, "Running"), ("Always", 0, "Running"), ("Never", 1, "Failed")],
)
def test_a_container_that_waits_to_run_again_has_run(policy: str, last: int, expected: str) -> None:
    assert phase(shown("a", waits("CrashLoopBackOff"), ended(last)), policy=policy) == expected


@pytest.mark.parametrize(
    ("source", "policy", "code", "expected"),
    [
        ("api", "Always", 0, "Succeeded"),
        ("api", "Always", 1, "Failed"),
        ("api", "OnFailure", 1, "Failed"),
        ("file", "Always", 0, "Running"),
        ("file", "OnFailure", 1, "Running"),
        ("file", "Never", 0, "Succeeded"),
    ],
)
def test_a_pod_that_is_over_restarts_nothing_but_a_static_one_comes_again(
    source: str, policy: str, code: int, expected: str
) -> None:
    assert phase(shown("a", ended(code)), policy=policy, source=source, is_terminal=True) == expected


def test_a_pod_that_is_over_while_a_container_waits_has_failed() -> None:
    assert phase(shown("a", waits("CrashLoopBackOff"), ended(0)), is_terminal=True) == "Failed"


@pytest.mark.parametrize(("code", "expected"), [(42, "Running"), (1, "Failed"), (0, "Succeeded")])
def test_the_containers_own_rules_decide_whether_it_may_restart(code: int, expected: str) -> None:
    assert phase(shown("a", ended(code)), policy="Never", containers=(RETRIED,)) == expected


def test_a_container_that_is_removed_to_be_restarted_with_all_has_not_failed() -> None:
    assert phase(shown("a", ended(137, "RestartingAllContainers")), policy="Never") == "Running"


@pytest.mark.parametrize(
    ("policy", "state", "last", "expected"),
    [
        ("Always", waits(), NONE, "Pending"),
        ("Always", RUNS, NONE, "Pending"),
        ("Always", RUNS, ended(1), "Pending"),
        ("Always", ended(0), NONE, "Running"),
        ("Always", ended(1), NONE, "Running"),
        ("Never", ended(1), NONE, "Failed"),
        ("OnFailure", ended(1), NONE, "Running"),
        ("Never", waits("ErrImagePull"), ended(1), "Failed"),
        ("OnFailure", waits("CrashLoopBackOff"), ended(1), "Running"),
        ("Always", NONE, NONE, "Pending"),
    ],
)
def test_init_containers(policy: str, state: object, last: object, expected: str) -> None:
    init = shown("init", state, last)  # type: ignore[arg-type]
    assert phase(init, shown("a"), policy=policy, init=(INIT,)) == expected


def test_an_init_container_without_a_status_is_pending() -> None:
    assert phase(shown("a"), init=(INIT,)) == "Pending"


@pytest.mark.parametrize(
    ("side", "begun", "regular", "expected"),
    [
        (shown("side", RUNS, started=False), False, RUNS, "Pending"),
        (shown("side", RUNS, started=False), True, RUNS, "Running"),
        (shown("side", RUNS, started=True), False, RUNS, "Running"),
        (shown("side", RUNS, started=True), True, ended(0), "Running"),
        (shown("side", ended(1)), True, ended(0), "Succeeded"),
        (shown("side", waits("CrashLoopBackOff"), ended(1)), True, RUNS, "Running"),
        (shown("side", waits()), False, waits(), "Pending"),
        (shown("side", waits()), True, RUNS, "Pending"),
    ],
)
def test_sidecars(side: ContainerStatus, begun: bool, regular: object, expected: str) -> None:
    a = shown("a", regular)  # type: ignore[arg-type]
    assert phase(side, a, policy="Never", init=(SIDECAR,), begun=begun) == expected


def test_a_sidecar_without_a_status_makes_the_phase_pending() -> None:
    assert phase(shown("a"), init=(SIDECAR,), begun=True) == "Pending"


OLD = sandbox(0, ready=False)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (observed(running()), True),
        (observed(exited()), True),
        (observed(created()), True),
        (observed(running("init")), False),
        (observed(), False),
        (observed(exited(), sandboxes=(OLD,)), False),
        (observed(exited(), sandboxes=(sandbox(1), OLD)), False),
        (observed(exited(), sandboxes=()), False),
    ],
)
def test_a_pod_has_begun_when_a_regular_container_is_in_the_current_sandbox(seen: ObservedPod, expected: bool) -> None:
    of: Pod = pod(init_containers=(INIT,))
    assert has_begun(of, seen) is expected
