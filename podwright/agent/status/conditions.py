"""The conditions of a pod that the agent decides. Pure.

The rules, reasons and messages are those of pkg/kubelet/status/generate.go of Kubernetes 1.36. Times of transition
are not set here: `transitions` knows the status before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from podwright.agent.decisions.actions import choose_sandbox
from podwright.agent.pods.containers import lasting_containers
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.inputs import ALL_CONTAINERS_RESTARTING, StatusSituation
from podwright.k8s.objects import Container, ContainerStatus, Pod, PodCondition, PodStatus

READY_TO_START, INITIALIZED = "PodReadyToStartContainers", "Initialized"
CONTAINERS_READY, READY, SCHEDULED = "ContainersReady", "Ready", "PodScheduled"
RESIZE_PENDING, RESIZE_IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
RESIZES = frozenset({RESIZE_PENDING, RESIZE_IN_PROGRESS})
DISRUPTION_TARGET = "DisruptionTarget"

# Nobody else writes these. DisruptionTarget is not among them: others set it, too.
OWN = frozenset(
    {
        READY_TO_START,
        INITIALIZED,
        CONTAINERS_READY,
        READY,
        SCHEDULED,
        RESIZE_PENDING,
        RESIZE_IN_PROGRESS,
        ALL_CONTAINERS_RESTARTING,
    }
)
OWN_OR_SHARED = OWN | {DISRUPTION_TARGET}

POD_COMPLETED, POD_FAILED = "PodCompleted", "PodFailed"
CONTAINERS_NOT_READY, CONTAINERS_NOT_INITIALIZED = "ContainersNotReady", "ContainersNotInitialized"
UNKNOWN_CONTAINER_STATUSES = "UnknownContainerStatuses"
GATES_NOT_READY = "ReadinessGatesNotReady"
RESTART_STARTED = "RestartAllContainersStarted"

Statuses = Mapping[str, ContainerStatus]


def find(conditions: Iterable[PodCondition], type_: str) -> PodCondition | None:
    """The condition of that type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def statuses_by_name(status: PodStatus) -> Statuses:
    """The statuses of init and regular containers by name."""
    return {each.name: each for each in (*status.init_container_statuses, *status.container_statuses)}


def ready_to_start(pod: Pod, observed: ObservedPod) -> PodCondition:
    """PodReadyToStartContainers: True while the pod has a sandbox with a network."""
    return _condition(pod, READY_TO_START, is_true=not choose_sandbox(pod, observed).create)


def with_ready_to_start(pod: Pod, status: PodStatus) -> PodStatus:
    """The same status, for a pod whose sandbox was just made."""
    others = (each for each in status.conditions if each.type != READY_TO_START)
    return replace(status, conditions=(_condition(pod, READY_TO_START, is_true=True), *others))


def scheduled(pod: Pod) -> PodCondition:
    """PodScheduled: always True here."""
    return _condition(pod, SCHEDULED, is_true=True)


def initialized(pod: Pod, status: PodStatus, previous: PodStatus) -> PodCondition:
    """Initialized: True once the init containers have succeeded and the sidecars have started.

    It stays True once containers ran.
    """
    statuses = statuses_by_name(status)
    containers = pod.spec.init_containers
    if not statuses and containers:
        return _condition(pod, INITIALIZED, is_true=False, reason=UNKNOWN_CONTAINER_STATUSES)
    unknown = [each.name for each in containers if each.name not in statuses]
    incomplete = [
        each.name for each in containers if each.name in statuses and not _is_done(each, statuses[each.name])
    ]
    if status.phase == SUCCEEDED and not unknown:
        return _condition(pod, INITIALIZED, is_true=True, reason=POD_COMPLETED)
    before = find(previous.conditions, INITIALIZED)
    was_initialized = before is not None and before.status == "True"
    if not (unknown or incomplete) or was_initialized or _has_run(pod, statuses):
        return _condition(pod, INITIALIZED, is_true=True)
    message = _message(unknown, "incomplete", incomplete)
    return _condition(pod, INITIALIZED, is_true=False, reason=CONTAINERS_NOT_INITIALIZED, message=message)


def _is_done(container: Container, status: ContainerStatus) -> bool:
    return status.started is True if is_sidecar(container) else status.ready


def _has_run(pod: Pod, statuses: Statuses) -> bool:
    """Whether a regular container runs or has ended. A sidecar that starts again does not undo this."""
    found = (statuses.get(container.name) for container in pod.spec.containers)
    return any(each and (each.state.running is not None or each.state.terminated is not None) for each in found)


def containers_ready(pod: Pod, status: PodStatus) -> PodCondition:
    """ContainersReady: True while all regular containers and sidecars are ready."""
    statuses = statuses_by_name(status)
    if not statuses:
        return _condition(pod, CONTAINERS_READY, is_true=False, reason=UNKNOWN_CONTAINER_STATUSES)
    names = [container.name for container in lasting_containers(pod)]
    unknown = [name for name in names if name not in statuses]
    unready = [name for name in names if name in statuses and not statuses[name].ready]
    if status.phase == FAILED or (status.phase == SUCCEEDED and not unknown):
        return not_ready_any_more(CONTAINERS_READY, status.phase, pod.metadata.generation)
    if not (unknown or unready):
        return _condition(pod, CONTAINERS_READY, is_true=True)
    message = _message(unknown, "unready", unready)
    return _condition(pod, CONTAINERS_READY, is_true=False, reason=CONTAINERS_NOT_READY, message=message)


def not_ready_any_more(type_: str, phase: str, generation: int) -> PodCondition:
    """Ready or ContainersReady of a pod that has ended."""
    reason = POD_FAILED if phase == FAILED else POD_COMPLETED
    return PodCondition(type=type_, status="False", reason=reason, observed_generation=generation)


def ready(pod: Pod, status: PodStatus, containers: PodCondition) -> PodCondition:
    """Ready: True while the containers are ready and the conditions of all readiness gates are True.

    `status` holds the conditions of others. `containers` is ContainersReady.
    """
    if containers.status != "True":
        return _condition(pod, READY, is_true=False, reason=containers.reason, message=containers.message)
    closed = [text for gate in pod.spec.readiness_gates if (text := _closed(gate.condition_type, status.conditions))]
    if closed:
        return _condition(pod, READY, is_true=False, reason=GATES_NOT_READY, message=", ".join(closed))
    return _condition(pod, READY, is_true=True)


def _closed(type_: str, conditions: Iterable[PodCondition]) -> str:
    """Why the condition of a readiness gate is not True. Empty if it is."""
    condition = find(conditions, type_)
    if condition is None:
        return f'corresponding condition of pod readiness gate "{type_}" does not exist.'
    if condition.status != "True":
        return f'the status of pod readiness gate "{type_}" is not "True", but {condition.status}'
    return ""


def with_readiness(pod: Pod, status: PodStatus) -> PodStatus:
    """The status with new conditions that follow from its containers."""
    containers = containers_ready(pod, status)
    decided = {
        each.type: each for each in (initialized(pod, status, status), ready(pod, status, containers), containers)
    }
    kept = (decided.pop(each.type, each) for each in status.conditions)
    return replace(status, conditions=(*kept, *decided.values()))


def needs_readiness(pod: Pod) -> bool:
    """Whether what others wrote into the pod's status changes its readiness: NeedToReconcilePodReadiness."""
    current = find(pod.status.conditions, READY)
    if not pod.spec.readiness_gates or current is None:
        return False
    expected = ready(pod, pod.status, containers_ready(pod, pod.status))
    return (current.status, current.message) != (expected.status, expected.message)


def all_restarting(situation: StatusSituation, phase: str) -> PodCondition:
    """AllContainersRestarting: True from the exit that restarts all containers until they are removed."""
    if phase in (SUCCEEDED, FAILED):
        reason = POD_COMPLETED if phase == SUCCEEDED else POD_FAILED
        return PodCondition(type=ALL_CONTAINERS_RESTARTING, status="False", reason=reason)
    spec, observed = situation.pod.spec, situation.observed
    is_removed = all(observed.newest(each.name) is None for each in (*spec.init_containers, *spec.containers))
    if not situation.restarts_all or is_removed:
        return PodCondition(type=ALL_CONTAINERS_RESTARTING, status="False")
    message = "container exited with restart policy rule"
    return PodCondition(type=ALL_CONTAINERS_RESTARTING, status="True", reason=RESTART_STARTED, message=message)


def _message(unknown: list[str], word: str, names: list[str]) -> str:
    """The message for such containers, with lists as Go prints them: [a b]."""
    parts = []
    if unknown:
        parts.append(f"containers with unknown status: [{' '.join(unknown)}]")
    if names:
        parts.append(f"containers with {word} status: [{' '.join(names)}]")
    return ", ".join(parts)


def _condition(pod: Pod, type_: str, *, is_true: bool, reason: str = "", message: str = "") -> PodCondition:
    return PodCondition(
        type=type_,
        status="True" if is_true else "False",
        reason=reason,
        message=message,
        observed_generation=pod.metadata.generation,
    )
