"""Builds the status of a pod from the pod, a look at it, and frozen inputs. Pure.

The rules are those of generateAPIPodStatus of Kubernetes 1.36 (pkg/kubelet/kubelet_pods.go). The manager then makes
sure that the new status may follow the one before (`transitions`).
"""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.pods.deadlines import DEADLINE_EXCEEDED, DEADLINE_MESSAGE, has_passed_deadline
from podwright.agent.pods.phases import FAILED, TERMINAL
from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.resources import pod_requests, texts
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.addresses import pod_ips
from podwright.agent.status.conditions import (
    DISRUPTION_TARGET,
    OWN,
    all_restarting,
    containers_ready,
    find,
    initialized,
    ready,
    ready_to_start,
    scheduled,
    statuses_by_name,
)
from podwright.agent.status.containers import ephemeral_statuses, init_statuses, regular_statuses
from podwright.agent.status.inputs import StatusInputs, StatusSituation, may_restart_all
from podwright.agent.status.phase import has_begun, phase_of
from podwright.agent.status.resources import pod_resources
from podwright.k8s.objects import HostIP, Pod, PodCondition, PodStatus


def build_status(pod: Pod, observed: ObservedPod, inputs: StatusInputs) -> PodStatus:
    """Build the status.

    `transitions.next_status` sets the times of transition and the start time.
    """
    situation = StatusSituation.of(pod, observed, inputs)
    status = _with_phase(situation, _facts(situation))
    status = replace(status, conditions=_others_conditions(pod, inputs.previous))
    return replace(status, conditions=(*status.conditions, *_own_conditions(situation, status)))


def _facts(situation: StatusSituation) -> PodStatus:
    """The fields that depend on no other part of the status."""
    pod, inputs = situation.pod, situation.inputs
    ips = pod_ips(pod, situation.observed, inputs.previous, inputs.node_ips)
    resources = pod_resources(pod, inputs.actuated) if inputs.gates.pod_resources else None
    return PodStatus(
        container_statuses=regular_statuses(situation),
        init_container_statuses=init_statuses(situation),
        ephemeral_container_statuses=ephemeral_statuses(situation),
        qos_class=inputs.previous.qos_class or qos_class(pod),  # it never changes
        pod_ip=ips[0].ip if ips else "",
        pod_ips=ips,
        host_ip=inputs.node_ips[0] if inputs.node_ips else "",
        host_ips=tuple(HostIP(ip=ip) for ip in inputs.node_ips),
        allocated_resources=texts(pod_requests(pod.spec)) if resources is not None else {},
        resources=resources,
        start_time=inputs.previous.start_time,
        observed_generation=pod.metadata.generation,
        nominated_node_name=pod.status.nominated_node_name,
        resource_claim_statuses=pod.status.resource_claim_statuses,
        extended_resource_claim_status=pod.status.extended_resource_claim_status,
        node_allocatable_resource_claim_statuses=pod.status.node_allocatable_resource_claim_statuses,
    )


def _with_phase(situation: StatusSituation, status: PodStatus) -> PodStatus:
    """Add the phase, reason and message.

    Until the API shows the end, the containers' exit codes count more than the agent's earlier phase. So a preempted
    or evicted pod has succeeded if all of its containers did. A pod that has exceeded its deadline has failed in any
    case. Reason and message stay as long as the phase does.
    """
    pod, previous = situation.pod, situation.inputs.previous
    phase = phase_of(
        pod,
        statuses_by_name(status),
        is_terminal=situation.inputs.is_terminal,
        has_begun=has_begun(pod, situation.observed),
    )
    if pod.status.phase in TERMINAL:
        phase = pod.status.phase
    elif _exceeds_deadline(situation):
        return replace(status, phase=FAILED, reason=DEADLINE_EXCEEDED, message=DEADLINE_MESSAGE)
    elif previous.phase in TERMINAL and phase not in TERMINAL:
        phase = previous.phase
    if phase != previous.phase:
        return replace(status, phase=phase)
    reason, message = previous.reason or pod.status.reason, previous.message or pod.status.message
    return replace(status, phase=phase, reason=reason, message=message)


def _exceeds_deadline(situation: StatusSituation) -> bool:
    """Whether the pod was active for longer than its deadline.

    That stays true, and never becomes true for a pod that ended in time.
    """
    pod, previous = situation.pod, situation.inputs.previous
    now_ns = int(situation.inputs.now.timestamp()) * 10**9
    return previous.reason == DEADLINE_EXCEEDED or has_passed_deadline(pod, previous, now_ns)


def _others_conditions(pod: Pod, previous: PodStatus) -> tuple[PodCondition, ...]:
    """The conditions of others, and the agent's DisruptionTarget, which it sets once."""
    disruption = find(previous.conditions, DISRUPTION_TARGET)
    kept = [each for each in pod.status.conditions if each.type not in OWN]
    if disruption is None:
        return tuple(kept)
    return (*(each for each in kept if each.type != DISRUPTION_TARGET), disruption)


def _own_conditions(situation: StatusSituation, status: PodStatus) -> list[PodCondition]:
    """The agent's conditions in the kubelet's order. `status` has the conditions of others."""
    pod, previous = situation.pod, situation.inputs.previous
    containers = containers_ready(pod, status)
    conditions = [
        initialized(pod, status, previous),
        ready(pod, status, containers),
        containers,
        scheduled(pod),
    ]
    if situation.inputs.gates.ready_to_start:
        conditions.insert(0, ready_to_start(pod, situation.observed))
    if not situation.inputs.is_terminal:
        conditions = [*situation.inputs.resizes, *conditions]
    if may_restart_all(pod):
        conditions.append(all_restarting(situation, status.phase))
    return conditions
