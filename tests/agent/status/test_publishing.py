"""What others are shown while a pod ends."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from podwright.agent.status.conditions import find
from podwright.agent.status.publishing import merge_status, with_others
from podwright.k8s.objects import PodResourceClaimStatus, PodStatus
from tests.agent.fakes.pods import pod
from tests.agent.fakes.statuses import EARLIER, NOW, condition

READY = (condition("Ready", last_transition_time=EARLIER), condition("ContainersReady", last_transition_time=EARLIER))
RUNNING = PodStatus(phase="Running", message="was", conditions=READY)
EVICTED = PodStatus(
    phase="Failed",
    reason="Evicted",
    message="why",
    conditions=(condition("DisruptionTarget", last_transition_time=EARLIER), *READY),
)


def test_a_terminal_phase_is_held_back_while_containers_may_run() -> None:
    shown = merge_status(RUNNING, EVICTED, NOW, may_run=True)
    assert (shown.phase, shown.reason, shown.message) == ("Running", "", "was")
    assert shown.conditions == READY


def test_then_it_is_shown_and_the_pod_is_not_ready() -> None:
    shown = merge_status(RUNNING, EVICTED, NOW, may_run=False)
    assert (shown.phase, shown.reason, shown.message) == ("Failed", "Evicted", "why")
    for type_ in ("Ready", "ContainersReady"):
        unready = find(shown.conditions, type_)
        assert unready is not None
        assert (unready.status, unready.reason, unready.last_transition_time) == ("False", "PodFailed", NOW)
    disruption = find(shown.conditions, "DisruptionTarget")
    assert disruption is not None
    assert disruption.last_transition_time == NOW


def test_a_pod_that_was_shown_to_have_ended_stays_so() -> None:
    shown = merge_status(replace(EVICTED, conditions=()), EVICTED, NOW, may_run=True)
    assert shown.phase == "Failed"


def test_a_completed_pod_is_not_ready_either() -> None:
    shown = merge_status(RUNNING, replace(RUNNING, phase="Succeeded"), NOW, may_run=False)
    assert [each.reason for each in shown.conditions] == ["PodCompleted", "PodCompleted"]


@pytest.mark.parametrize("may_run", [False, True])
def test_what_others_wrote_is_kept_and_what_the_agent_owned_before_is_not(may_run: bool) -> None:
    theirs = condition("example.com/in", "False")
    claims = (PodResourceClaimStatus(name="gpu"),)
    before = PodStatus(
        phase="Running",
        conditions=(theirs, condition("Initialized"), condition("DisruptionTarget", reason="theirs")),
        resource_claim_statuses=claims,
    )
    shown = merge_status(before, RUNNING, NOW, may_run=may_run)
    assert [each.type for each in shown.conditions] == [
        "example.com/in",
        "DisruptionTarget",
        "Ready",
        "ContainersReady",
    ]
    assert shown.resource_claim_statuses == claims


def test_what_others_write_later_is_taken_over() -> None:
    theirs = condition("example.com/in", "False")
    of = replace(pod(), status=PodStatus(conditions=(theirs, condition("Ready", "Unknown"))))
    assert with_others(PodStatus(conditions=READY), of).conditions == (theirs,)
    mine = condition("DisruptionTarget", reason="mine")
    assert with_others(PodStatus(conditions=(mine,)), of).conditions == (theirs, mine)
    also = replace(of, status=PodStatus(conditions=(condition("DisruptionTarget", reason="theirs"),)))
    assert with_others(PodStatus(conditions=(mine,)), also).conditions == also.status.conditions
