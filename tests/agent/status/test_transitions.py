"""What may follow what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.status.transitions import is_same, next_status
from podwright.k8s.objects import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ContainerState,
    Pod,
    PodResourceClaimStatus,
    PodStatus,
)
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import EARLIER, NOW, RUNS, condition, ended, shown, waits


def follow(old: PodStatus, new: PodStatus, of: Pod | None = None) -> PodStatus:
    return next_status(of or pod(), old, new, NOW + timedelta(microseconds=5))


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_pod_that_has_ended_does_not_come_back(phase: str) -> None:
    status = follow(PodStatus(phase="Failed", reason="Evicted", message="why"), PodStatus(phase=phase))
    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", "why")


def test_how_a_pod_has_ended_may_be_known_later() -> None:
    status = follow(PodStatus(phase="Failed", reason="Evicted", message="why"), PodStatus(phase="Succeeded"))
    assert (status.phase, status.reason, status.message) == ("Succeeded", "", "")


def test_the_start_time_is_when_the_pod_was_seen_first() -> None:
    first = follow(PodStatus(), PodStatus())
    assert first.start_time == NOW
    assert follow(PodStatus(start_time=EARLIER), PodStatus(start_time=NOW)).start_time == EARLIER
    assert follow(PodStatus(), PodStatus(start_time=EARLIER)).start_time == EARLIER


@pytest.mark.parametrize(
    ("before", "after", "time"),
    [
        ((), "True", NOW),
        ((condition("Ready", last_transition_time=EARLIER),), "True", EARLIER),
        ((condition("Ready", reason="other", last_transition_time=EARLIER),), "True", EARLIER),
        ((condition("Ready", "False", last_transition_time=EARLIER),), "True", NOW),
        ((condition("Ready"),), "True", NOW),
    ],
)
def test_the_time_of_transition_changes_with_the_status_alone(before: Any, after: str, time: Any) -> None:
    new = PodStatus(conditions=(condition("Ready", after, reason="new"),))
    (result,) = follow(PodStatus(conditions=before), new).conditions
    assert (result.last_transition_time, result.reason) == (time, "new")


def test_the_conditions_of_others_keep_their_time() -> None:
    other = condition("example.com/in", last_transition_time=EARLIER)
    assert follow(PodStatus(), PodStatus(conditions=(other,))).conditions == (other,)


def test_a_generation_that_was_seen_stays_seen() -> None:
    of = replace(pod(), metadata=replace(pod().metadata, generation=3))
    assert follow(PodStatus(), PodStatus(), of).observed_generation == 3
    assert follow(PodStatus(observed_generation=5), PodStatus(), of).observed_generation == 5


RULE = ContainerRestartRule(action="Restart", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(42,)))
RULED = container(restart_policy="Never", restart_policy_rules=(RULE,))
ALL = container(restart_policy="Never", restart_policy_rules=(replace(RULE, action="RestartAllContainers"),))


@pytest.mark.parametrize("new", [RUNS, waits()])
@pytest.mark.parametrize(
    ("policy", "of", "code", "allowed"),
    [
        ("Always", container(), 0, True),
        ("Always", container(restart_policy="Never"), 1, True),
        ("OnFailure", container(), 1, True),
        ("OnFailure", container(), 0, False),
        ("Never", container(), 0, False),
        ("Never", container(), 1, False),
        ("Never", container(restart_policy="Always"), 1, True),
        ("Never", RULED, 42, True),
        ("Never", RULED, 1, False),
        ("Never", ALL, 1, True),
    ],
)
def test_a_container_that_has_ended_for_good(
    policy: str, of: Container, code: int, allowed: bool, new: ContainerState
) -> None:
    old, after = shown(state=ended(code)), shown(state=new, count=1)
    status = follow(
        PodStatus(container_statuses=(old,)),
        PodStatus(container_statuses=(after,)),
        pod(restart_policy=policy, containers=(of,)),
    )
    assert status.container_statuses == ((after,) if allowed else (old,))


@pytest.mark.parametrize(("restart_policy", "allowed"), [(None, False), ("Always", True)])
def test_an_init_container_that_has_succeeded(restart_policy: str | None, allowed: bool) -> None:
    old, after = shown("init", ended(0)), shown("init", RUNS, count=1)
    status = follow(
        PodStatus(init_container_statuses=(old,)),
        PodStatus(init_container_statuses=(after,)),
        pod(restart_policy="OnFailure", init_containers=(container("init", restart_policy=restart_policy),)),
    )
    assert status.init_container_statuses == ((after,) if allowed else (old,))


def test_an_end_may_follow_an_end() -> None:
    old, after = shown(state=ended(1)), shown(state=ended(2))
    of = pod(restart_policy="Never")
    status = follow(PodStatus(container_statuses=(old,)), PodStatus(container_statuses=(after,)), of)
    assert status.container_statuses == (after,)


@pytest.mark.parametrize(("count", "limit"), [(1, 12288), (3, 4096), (10, 1228)])
def test_termination_messages_are_cut_so_that_all_together_are_not_too_long(count: int, limit: int) -> None:
    of = pod(containers=tuple(container(f"c{index}") for index in range(count)))
    state = ended(1, message="é" * 10_000)
    status = follow(PodStatus(), PodStatus(container_statuses=(shown("c0", state, state),)), of)
    for each in (status.container_statuses[0].state, status.container_statuses[0].last_state):
        assert each.terminated is not None
        assert each.terminated.message == "é" * (limit // 2)


def test_a_message_that_is_short_enough_is_whole() -> None:
    status = PodStatus(container_statuses=(shown("main", ended(1, message="x" * 12288)),))
    assert follow(PodStatus(), status).container_statuses == status.container_statuses


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"phase": "Failed"}, False),
        ({"container_statuses": (shown(),)}, False),
        ({"conditions": (condition("Ready", last_transition_time=NOW), condition("other"))}, True),
        ({"conditions": (condition("Ready"), condition("DisruptionTarget"))}, False),
        ({"conditions": (condition("Ready", "False"),)}, False),
        ({"conditions": (condition("Ready", reason="x"),)}, False),
        ({"conditions": (condition("Ready", message="x"),)}, False),
        ({"conditions": ()}, False),
        ({"resource_claim_statuses": (PodResourceClaimStatus(name="x"),)}, True),
    ],
)
def test_statuses_are_the_same_when_the_agents_part_is(change: dict[str, Any], same: bool) -> None:
    status = PodStatus(phase="Running", conditions=(condition("Ready"),))
    assert is_same(status, replace(status, **change)) is same
