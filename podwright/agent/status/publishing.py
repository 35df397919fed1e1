"""The published version of a status: the same, but without an end that is not complete. Pure.

For the scheduler a pod with a terminal phase holds no resources, and it gives them to others. So the phase is held
back while containers may run (mergePodStatus of Kubernetes 1.36, pkg/kubelet/status/status_manager.go).
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from podwright.agent.pods.phases import TERMINAL
from podwright.agent.status.conditions import (
    CONTAINERS_READY,
    DISRUPTION_TARGET,
    OWN,
    READY,
    find,
    not_ready_any_more,
)
from podwright.k8s.objects import Pod, PodCondition, PodStatus
from podwright.k8s.times import whole_seconds


def merge_status(shown: PodStatus, status: PodStatus, now: datetime, *, may_run: bool) -> PodStatus:
    """The status to publish after `shown`, which may contain what others have written since.

    `may_run`: whether containers of the pod may still run. A published end stays as it is.
    """
    ends = shown.phase not in TERMINAL and status.phase in TERMINAL
    merged = replace(
        status,
        conditions=_conditions(shown, status, whole_seconds(now), is_over=ends and not may_run),
        resource_claim_statuses=shown.resource_claim_statuses,
        extended_resource_claim_status=shown.extended_resource_claim_status,
        node_allocatable_resource_claim_statuses=shown.node_allocatable_resource_claim_statuses,
    )
    if (ends and may_run) or (shown.phase in TERMINAL and status.phase != shown.phase):
        merged = replace(merged, phase=shown.phase, reason=shown.reason, message=shown.message)
    return _not_ready(merged, whole_seconds(now)) if merged.phase in TERMINAL else merged


def with_others(shown: PodStatus, pod: Pod) -> PodStatus:
    """The published status, with what others have written into the pod's status since."""
    others = [each for each in pod.status.conditions if each.type not in OWN]
    disruption = find(shown.conditions, DISRUPTION_TARGET)
    if disruption is not None and find(others, DISRUPTION_TARGET) is None:
        others.append(disruption)
    return replace(
        shown,
        conditions=tuple(others),
        resource_claim_statuses=pod.status.resource_claim_statuses,
        extended_resource_claim_status=pod.status.extended_resource_claim_status,
        node_allocatable_resource_claim_statuses=pod.status.node_allocatable_resource_claim_statuses,
    )


def _conditions(shown: PodStatus, status: PodStatus, now: datetime, *, is_over: bool) -> tuple[PodCondition, ...]:
    """The conditions: those of others, then the agent's. DisruptionTarget is published once the pod has ended."""
    others = [each for each in shown.conditions if each.type not in OWN]
    own = [each for each in status.conditions if each.type in OWN]
    disruption = find(status.conditions, DISRUPTION_TARGET)
    if not is_over or disruption is None:
        return (*others, *own)
    before = find(others, DISRUPTION_TARGET)
    if before is None or before.status != disruption.status:
        disruption = replace(disruption, last_transition_time=now)  # it was held back until now
    return (*(each for each in others if each.type != DISRUPTION_TARGET), disruption, *own)


def _not_ready(status: PodStatus, now: datetime) -> PodStatus:
    """The status of an ended pod, which is not ready whatever the last look at its containers showed."""
    conditions = [
        replace(not_ready_any_more(each.type, status.phase, status.observed_generation), last_transition_time=now)
        if each.type in (READY, CONTAINERS_READY) and each.status == "True"
        else each
        for each in status.conditions
    ]
    return replace(status, conditions=tuple(conditions))
