"""Corrects a new status so that it may follow the one before: no status ever goes back. Pure.

The rules are those of pkg/kubelet/status/status_manager.go of Kubernetes 1.36, and of the API's validation, which
refuses a status that breaks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from podwright.agent.decisions.restarts import ALWAYS, ON_FAILURE, restarts_after
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.status.conditions import OWN_OR_SHARED, RESIZES, find
from podwright.agent.status.containers import by_name
from podwright.agent.status.inputs import may_restart_all
from podwright.k8s.objects import Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus
from podwright.k8s.times import whole_seconds

MESSAGES_LIMIT_BYTES = 12 * 1024  # of termination messages in all containers of a pod


def next_status(pod: Pod, old: PodStatus, new: PodStatus, now: datetime) -> PodStatus:
    """`new`, corrected so that it may follow `old`.

    A pod that has ended stays ended, but Succeeded and Failed may still change: see `builder`.
    """
    now = whole_seconds(now)
    if old.phase in TERMINAL and new.phase not in TERMINAL:
        new = replace(new, phase=old.phase, reason=old.reason, message=old.message)
    start = old.start_time or new.start_time
    return replace(
        new,
        container_statuses=by_name(
            _statuses(pod, pod.spec.containers, old.container_statuses, new.container_statuses)
        ),
        init_container_statuses=_statuses(
            pod, pod.spec.init_containers, old.init_container_statuses, new.init_container_statuses
        ),
        ephemeral_container_statuses=tuple(_bounded(pod, each) for each in new.ephemeral_container_statuses),
        conditions=tuple(_timed(condition, old, now) for condition in new.conditions),
        start_time=whole_seconds(start) if start is not None else now,
        observed_generation=max(pod.metadata.generation, old.observed_generation),
    )


def is_same(old: PodStatus, new: PodStatus) -> bool:
    """Whether two statuses are equal in the agent's parts: isPodStatusByKubeletEqual."""
    return _own_conditions(old) == _own_conditions(new) and _without_foreign(old) == _without_foreign(new)


def _own_conditions(status: PodStatus) -> set[tuple[str, str, str, str]]:
    """The agent's conditions without times, which only change with the status."""
    own = (each for each in status.conditions if each.type in OWN_OR_SHARED)
    return {(each.type, each.status, each.reason, each.message) for each in own}


def _without_foreign(status: PodStatus) -> PodStatus:
    return replace(
        status,
        conditions=(),
        resource_claim_statuses=(),
        extended_resource_claim_status=None,
        node_allocatable_resource_claim_statuses=(),
    )


def _timed(condition: PodCondition, old: PodStatus, now: datetime) -> PodCondition:
    """The condition with its time of transition, which changes only with its status.

    Those about a resize have their own.
    """
    if condition.type not in OWN_OR_SHARED or condition.type in RESIZES:
        return condition
    before = find(old.conditions, condition.type)
    if before is not None and before.status == condition.status and before.last_transition_time is not None:
        return replace(condition, last_transition_time=before.last_transition_time)
    return replace(condition, last_transition_time=now)


def _statuses(
    pod: Pod, containers: Iterable[Container], old: Iterable[ContainerStatus], new: Iterable[ContainerStatus]
) -> tuple[ContainerStatus, ...]:
    """The statuses, in which a container that has ended for good stays so: the API refuses anything else.

    Such a container may run again all the same, as an init container in a new sandbox does. The phase shows that.
    """
    ended = {each.name: each for each in old if each.state.terminated is not None}
    defined = {container.name: container for container in containers}
    return tuple(_bounded(pod, _following(pod, defined.get(each.name), ended.get(each.name), each)) for each in new)


def _following(
    pod: Pod, container: Container | None, ended: ContainerStatus | None, new: ContainerStatus
) -> ContainerStatus:
    if container is None or ended is None or ended.state.terminated is None or new.state.terminated is not None:
        return new
    return new if _may_restart(pod, container, ended.state.terminated.exit_code) else ended


def _may_restart(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether the API allows a restart: by the pod's policy, whatever the container's own policy says."""
    policy = pod.spec.restart_policy
    return (
        policy == ALWAYS
        or (policy == ON_FAILURE and exit_code != 0)
        or is_sidecar(container)
        or may_restart_all(pod)
        or restarts_after(pod, container, exit_code)
    )


def _bounded(pod: Pod, status: ContainerStatus) -> ContainerStatus:
    """The status with termination messages cut so that all together are not too long."""
    count = len(pod.spec.containers) + len(pod.spec.init_containers) + len(pod.spec.ephemeral_containers)
    limit = MESSAGES_LIMIT_BYTES // max(count, 1)
    state, last = _cut(status.state, limit), _cut(status.last_state, limit)
    if state is status.state and last is status.last_state:
        return status
    return replace(status, state=state, last_state=last)


def _cut(state: ContainerState, limit: int) -> ContainerState:
    ended = state.terminated
    if ended is None or len(ended.message) * 4 <= limit:
        return state
    message = ended.message.encode()[:limit].decode(errors="ignore")
    return state if message == ended.message else ContainerState(terminated=replace(ended, message=message))
