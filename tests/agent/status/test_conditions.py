"""The conditions of a pod, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.builder import build_status
from podwright.agent.status.conditions import containers_ready, find, initialized, needs_readiness, ready
from podwright.agent.status.inputs import StatusGates
from podwright.k8s.objects import (
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    Pod,
    PodReadinessGate,
    PodStatus,
)
from tests.agent.fakes.observed import exited, observed, running, sandbox
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import RUNS, condition, ended, inputs, shown, waits

INIT = container("init")
SIDECAR = container("side", restart_policy="Always")
GATE = PodReadinessGate(condition_type="example.com/in")


def built(of: Pod, seen: ObservedPod, before: PodStatus | None = None, **fields: Any) -> PodStatus:
    return build_status(of, seen, inputs(before, **fields))


def verdict(status: PodStatus, type_: str) -> tuple[str, str, str]:
    found = find(status.conditions, type_)
    assert found is not None
    return found.status, found.reason, found.message


def with_conditions(of: Pod, *conditions: Any) -> Pod:
    return replace(of, status=replace(of.status, conditions=conditions))


# -- PodReadyToStartContainers


@pytest.mark.parametrize(
    ("of", "seen", "expected"),
    [
        (pod(), observed(), "True"),
        (pod(), observed(sandboxes=()), "False"),
        (pod(), observed(sandboxes=(sandbox(ready=False),)), "False"),
        (pod(), observed(sandboxes=(sandbox(ips=()),)), "False"),
        (pod(), observed(sandboxes=(sandbox(1), sandbox(0))), "False"),
        (pod(host_network=True), observed(), "False"),
        (pod(host_network=True), observed(sandboxes=(sandbox(ips=(), host_network=True),)), "True"),
    ],
)
def test_ready_to_start(of: Pod, seen: ObservedPod, expected: str) -> None:
    assert verdict(built(of, seen), "PodReadyToStartContainers") == (expected, "", "")


def test_it_has_a_gate() -> None:
    status = built(pod(), observed(), gates=StatusGates(ready_to_start=False))
    assert find(status.conditions, "PodReadyToStartContainers") is None


# -- Initialized

INCOMPLETE = ("False", "ContainersNotInitialized", "containers with incomplete status: [init]")


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ((), INCOMPLETE),
        ((running("init"),), INCOMPLETE),
        ((exited("init", 1),), INCOMPLETE),
        ((exited("init"),), ("True", "", "")),
        ((running(), exited("init")), ("True", "", "")),
    ],
)
def test_initialized(instances: tuple[Instance, ...], expected: tuple[str, str, str]) -> None:
    assert verdict(built(pod(init_containers=(INIT,)), observed(*instances)), "Initialized") == expected


def test_without_init_containers_a_pod_is_initialized() -> None:
    assert verdict(built(pod(), observed()), "Initialized") == ("True", "", "")


def test_a_sidecar_must_have_started_but_need_not_run_on() -> None:
    of = pod(init_containers=(SIDECAR,))
    assert verdict(built(of, observed()), "Initialized")[0] == "False"
    assert verdict(built(of, observed(running("side"))), "Initialized")[0] == "True"
    assert verdict(built(of, observed(running(), exited("side", 1))), "Initialized")[0] == "True"


def test_a_pod_that_was_initialized_stays_so() -> None:
    before = PodStatus(conditions=(condition("Initialized"),))
    assert verdict(built(pod(init_containers=(INIT,)), observed(), before), "Initialized") == ("True", "", "")


def test_a_pod_that_has_succeeded_says_so() -> None:
    status = built(pod(init_containers=(INIT,), restart_policy="Never"), observed(exited(), exited("init")))
    assert verdict(status, "Initialized") == ("True", "PodCompleted", "")
    assert verdict(status, "ContainersReady") == ("False", "PodCompleted", "")
    assert verdict(status, "Ready") == ("False", "PodCompleted", "")


def test_statuses_that_nobody_knows() -> None:
    of, status = pod(init_containers=(INIT,)), PodStatus(phase="Pending")
    assert initialized(of, status, status).reason == "UnknownContainerStatuses"
    assert containers_ready(of, status).reason == "UnknownContainerStatuses"
    status = PodStatus(container_statuses=(shown("other"),))
    assert initialized(of, status, status).message == "containers with unknown status: [init]"
    assert containers_ready(of, status).message == "containers with unknown status: [main]"


# -- ContainersReady, Ready

A, B = container("a"), container("b")


def test_containers_ready() -> None:
    of = pod(containers=(A, B), init_containers=(SIDECAR, INIT))
    message = "containers with unready status: [side b]"
    status = built(of, observed(running("a"), exited("b", 1), exited("init")))
    assert verdict(status, "ContainersReady") == ("False", "ContainersNotReady", message)
    assert verdict(status, "Ready") == ("False", "ContainersNotReady", message)
    status = built(of, observed(running("a"), running("b"), running("side"), exited("init")))
    assert verdict(status, "ContainersReady") == verdict(status, "Ready") == ("True", "", "")


def test_containers_of_unknown_and_of_known_state() -> None:
    status = PodStatus(container_statuses=(shown("a", waits()),), phase="Pending")
    message = "containers with unknown status: [b], containers with unready status: [a]"
    assert containers_ready(pod(containers=(A, B)), status).message == message


def test_a_pod_that_has_failed_is_not_ready_whatever_runs() -> None:
    status = PodStatus(container_statuses=(shown("main", RUNS, ready=True),), phase="Failed")
    assert containers_ready(pod(), status).reason == "PodFailed"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            (),
            (
                "False",
                "ReadinessGatesNotReady",
                'corresponding condition of pod readiness gate "example.com/in" does not exist.',
            ),
        ),
        (
            (condition("example.com/in", "False"),),
            (
                "False",
                "ReadinessGatesNotReady",
                'the status of pod readiness gate "example.com/in" is not "True", but False',
            ),
        ),
        ((condition("example.com/in"),), ("True", "", "")),
    ],
)
def test_readiness_gates(others: tuple[Any, ...], expected: tuple[str, str, str]) -> None:
    status = built(with_conditions(pod(readiness_gates=(GATE,)), *others), observed(running()))
    assert verdict(status, "Ready") == expected
    assert verdict(status, "ContainersReady") == ("True", "", "")


@pytest.mark.parametrize(
    ("gates", "conditions", "expected"),
    [
        ((), (condition("Ready", "False"),), False),
        ((GATE,), (), False),
        ((GATE,), (condition("Ready"), condition("example.com/in")), False),
        ((GATE,), (condition("Ready", "False"), condition("example.com/in")), True),
        ((GATE,), (condition("Ready"), condition("example.com/in", "False")), True),
    ],
)
def test_a_gate_that_others_move_needs_a_new_look(gates: Any, conditions: Any, expected: bool) -> None:
    of = pod(readiness_gates=gates)
    status = PodStatus(phase="Running", container_statuses=(shown("main", ready=True),), conditions=conditions)
    assert needs_readiness(replace(of, status=status)) is expected


# -- the others


def test_a_pod_on_this_node_is_scheduled() -> None:
    assert verdict(built(pod(), observed()), "PodScheduled") == ("True", "", "")


def test_each_condition_says_of_which_generation_it_is() -> None:
    of = pod()
    of = replace(of, metadata=replace(of.metadata, generation=4))
    status = built(of, observed(running()))
    assert {each.observed_generation for each in status.conditions} == {4}
    assert status.observed_generation == 4


def test_the_order_of_conditions() -> None:
    of = with_conditions(pod(), condition("example.com/in"), condition("Ready", "Unknown"))
    types = [each.type for each in built(of, observed()).conditions]
    assert types == [
        "example.com/in",
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]


def test_why_the_agent_ends_a_pod_stays() -> None:
    mine = condition("DisruptionTarget", reason="TerminationByKubelet")
    theirs = condition("DisruptionTarget", reason="EvictionByEvictionAPI")
    of = with_conditions(pod(), theirs)
    assert verdict(built(of, observed()), "DisruptionTarget")[1] == "EvictionByEvictionAPI"
    status = built(of, observed(), PodStatus(conditions=(mine,)))
    assert [each.reason for each in status.conditions if each.type == "DisruptionTarget"] == ["TerminationByKubelet"]


RULE = ContainerRestartRule(
    action="RestartAllContainers", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(7,))
)
ALL = container("main", restart_policy="Never", restart_policy_rules=(RULE,))
ONGOING = PodStatus(conditions=(condition("AllContainersRestarting"),))


@pytest.mark.parametrize(
    ("instances", "before", "expected"),
    [
        ((running(),), None, ("False", "", "")),
        (
            (exited(exit_code=7),),
            None,
            ("True", "RestartAllContainersStarted", "container exited with restart policy rule"),
        ),
        ((running("main", 1),), ONGOING, ("False", "", "")),
        ((), ONGOING, ("False", "", "")),
        ((exited(exit_code=0),), None, ("False", "PodCompleted", "")),
        ((exited(exit_code=1),), None, ("False", "PodFailed", "")),
    ],
)
def test_all_containers_restarting(
    instances: tuple[Instance, ...], before: PodStatus | None, expected: tuple[str, str, str]
) -> None:
    of = pod(containers=(ALL,), restart_policy="Never")
    assert verdict(built(of, observed(*instances), before), "AllContainersRestarting") == expected


def test_it_goes_on_until_the_last_container_is_removed() -> None:
    of = pod(containers=(ALL, container("other")), restart_policy="Never")
    assert verdict(built(of, observed(running("other")), ONGOING), "AllContainersRestarting")[0] == "True"
    assert verdict(built(of, observed(), ONGOING), "AllContainersRestarting")[0] == "False"
    assert (
        verdict(built(of, observed(running("main", 1), running("other", 1)), ONGOING), "AllContainersRestarting")[0]
        == "False"
    )


def test_a_pod_without_such_a_rule_has_no_such_condition() -> None:
    assert find(built(pod(), observed()).conditions, "AllContainersRestarting") is None


def test_ready_follows_containers_ready() -> None:
    status = PodStatus(container_statuses=(shown("main", ended(1)),), phase="Running")
    of = pod(readiness_gates=(GATE,))
    assert ready(of, status, containers_ready(of, status)).reason == "ContainersNotReady"
