"""The statuses of a pod's containers of one kind, from their instances at the runtime. Pure.

The rules are those of convertToAPIContainerStatuses of Kubernetes 1.36 (pkg/kubelet/kubelet_pods.go).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from podwright.agent.decisions.restarts import should_start
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.runtime.records import CriContainerState as InstanceState
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.inputs import StatusSituation
from podwright.agent.status.instances import KILLED, RESTARTING_ALL, STATUS_UNKNOWN, state_of, status_of
from podwright.agent.status.mounts import volume_mounts
from podwright.agent.status.readiness import with_readiness
from podwright.k8s.objects import (
    Container,
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
)

CONTAINER_CREATING, POD_INITIALIZING = "ContainerCreating", "PodInitializing"
WAS_RUNNING = "The container could not be located when the pod was deleted.  The container used to be Running"
REMOVED = "The container is removed because RestartAllContainers in place"
TAKEN_AS_COMPLETED = (
    "Unable to get init container status from container runtime and pod has been initialized, "
    "treat it as exited normally"
)


def regular_statuses(situation: StatusSituation) -> tuple[ContainerStatus, ...]:
    """The regular containers, sorted by name, with the health of their allotted resources."""
    health = situation.inputs.resource_health
    statuses = _statuses(situation, situation.pod.spec.containers, situation.inputs.previous.container_statuses)
    return by_name(
        replace(status, allocated_resources_status=tuple(health.get(status.name, ()))) for status in statuses
    )


def init_statuses(situation: StatusSituation) -> tuple[ContainerStatus, ...]:
    """The init containers, in the order of the spec."""
    previous = situation.inputs.previous.init_container_statuses
    return tuple(_statuses(situation, situation.pod.spec.init_containers, previous, are_init=True))


def ephemeral_statuses(situation: StatusSituation) -> tuple[ContainerStatus, ...]:
    """The ephemeral containers, sorted by name. They have no probes, and are never ready."""
    previous = situation.inputs.previous.ephemeral_container_statuses
    return by_name(_statuses(situation, situation.pod.spec.ephemeral_containers, previous))


def by_name(statuses: Iterable[ContainerStatus]) -> tuple[ContainerStatus, ...]:
    """The statuses sorted by name, as clients expect."""
    return tuple(sorted(statuses, key=lambda status: status.name))


def _statuses(
    situation: StatusSituation,
    containers: Iterable[AnyContainer],
    previous: Iterable[ContainerStatus],
    *,
    are_init: bool = False,
) -> Iterable[ContainerStatus]:
    shown = {status.name: status for status in previous}
    for container in containers:
        status = _status(situation, container, shown.get(container.name), is_init=are_init)
        if isinstance(container, Container):
            status = with_readiness(status, container, shown.get(container.name), situation, is_init=are_init)
        yield status


def _status(
    situation: StatusSituation, container: AnyContainer, previous: ContainerStatus | None, *, is_init: bool
) -> ContainerStatus:
    instances = situation.observed.instances(container.name)
    newest = instances[0] if instances else None
    if newest is None:
        status = _without_instance(situation, container, previous)
        if is_init and _must_have_completed(situation, container, status):
            return replace(status, state=_ended("Completed", TAKEN_AS_COMPLETED, 0))
    else:
        status = _with_last_end(situation, status_of(situation, container, newest, previous), instances, previous)
        if is_init and newest.state is InstanceState.EXITED and newest.exit_code == 0:
            return status
    return _with_failure(situation, container, status, newest)


def _with_last_end(
    situation: StatusSituation,
    status: ContainerStatus,
    instances: tuple[Instance, ...],
    previous: ContainerStatus | None,
) -> ContainerStatus:
    """Add the last state: the end of the instance before the newest one. An instance that never ran has no end."""
    for older in instances[1:2]:
        state = state_of(situation, older, previous)
        if state.terminated is not None:
            return replace(status, last_state=state)
    return status


def _without_instance(
    situation: StatusSituation, container: AnyContainer, previous: ContainerStatus | None
) -> ContainerStatus:
    """The status of a container without an instance: never created, or removed."""
    status = _default(situation, container, previous)
    if previous is None:
        return status
    if situation.restarts_all and previous.state.waiting is None:
        return replace(
            status,
            state=ContainerState(waiting=ContainerStateWaiting(reason=RESTARTING_ALL, message=REMOVED)),
            last_state=_ended(RESTARTING_ALL, REMOVED, KILLED),
            restart_count=previous.restart_count + 1,
        )
    if previous.state.terminated is not None:
        return previous
    status = replace(status, restart_count=previous.restart_count, last_state=previous.last_state)
    if previous.state.running is None or previous.last_state.terminated is not None:
        return status
    # It ran and was removed. Without a last state it would look as if it had never run, and the pod would be Pending
    # again. A deleted pod restarts nothing, so its count does not grow.
    return replace(
        status,
        last_state=_ended(STATUS_UNKNOWN, WAS_RUNNING, KILLED),
        restart_count=previous.restart_count + (situation.pod.metadata.deletion_timestamp is None),
    )


def _default(situation: StatusSituation, container: AnyContainer, previous: ContainerStatus | None) -> ContainerStatus:
    reason = POD_INITIALIZING if situation.pod.spec.init_containers else CONTAINER_CREATING
    return ContainerStatus(
        name=container.name,
        image=container.image,
        image_id="",
        ready=False,
        restart_count=0,
        state=ContainerState(waiting=ContainerStateWaiting(reason=reason)),
        volume_mounts=volume_mounts(container, previous, supports_recursive=situation.inputs.recursive_read_only),
    )


def _must_have_completed(situation: StatusSituation, container: AnyContainer, status: ContainerStatus) -> bool:
    """Whether the init container has succeeded, because regular containers exist.

    A sidecar is started again instead.
    """
    is_lasting = isinstance(container, Container) and is_sidecar(container)
    return not is_lasting and status.state.waiting is not None and _has_made_regular(situation.pod, situation.observed)


def _has_made_regular(pod: Pod, observed: ObservedPod) -> bool:
    newest = (observed.newest(container.name) for container in pod.spec.containers)
    return any(each is not None and each.state is not InstanceState.UNKNOWN for each in newest)


def _with_failure(
    situation: StatusSituation, container: AnyContainer, status: ContainerStatus, newest: Instance | None
) -> ContainerStatus:
    """Set the state of a container that could not be started: waiting, with the reason, unless the pod has ended."""
    failure = situation.inputs.failures.get(container.name)
    if failure is None or situation.inputs.is_terminal or not should_start(situation.pod, container, newest):
        return status
    waiting = ContainerStateWaiting(reason=failure.reason, message=failure.message)
    last = status.state if status.state.terminated is not None else status.last_state
    return replace(status, state=ContainerState(waiting=waiting), last_state=last)


def _ended(reason: str, message: str, exit_code: int) -> ContainerState:
    return ContainerState(terminated=ContainerStateTerminated(reason=reason, message=message, exit_code=exit_code))
