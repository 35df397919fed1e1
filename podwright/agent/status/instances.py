"""The status of a container according to one of its instances at the runtime. Pure.

The rules are those of convertToAPIContainerStatuses of Kubernetes 1.36 (pkg/kubelet/kubelet_pods.go).
"""

from __future__ import annotations

from datetime import UTC, datetime

from podwright.agent.pods.containers import AnyContainer
from podwright.agent.runtime.records import CriContainerState as InstanceState
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import UserStatus
from podwright.agent.status.inputs import StatusSituation
from podwright.agent.status.mounts import volume_mounts
from podwright.agent.status.resources import container_resources
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    ContainerUser,
    LinuxContainerUser,
)

STATUS_UNKNOWN = "ContainerStatusUnknown"
RESTARTING_ALL = "RestartingAllContainers"
NOT_LOCATED = "The container could not be located when the pod was terminated"
KILLED = 137  # the exit code of a container whose end is unknown

WAITING = ContainerState(waiting=ContainerStateWaiting())


def container_id(runtime_name: str, identifier: str) -> str:
    """The container's id in the API: `containerd://<id>`."""
    return f"{runtime_name}://{identifier}"


def status_of(
    situation: StatusSituation, container: AnyContainer, instance: Instance, previous: ContainerStatus | None
) -> ContainerStatus:
    """The container's status if this is its newest instance. `started` and `ready` are set later."""
    inputs = situation.inputs
    identifier = container_id(inputs.runtime_name, instance.id)
    return ContainerStatus(
        name=container.name,
        image=instance.image,
        image_id=instance.image_ref,  # the reference and not the id, for historical reasons
        container_id=identifier,
        ready=False,
        restart_count=_restart_count(instance, identifier, previous),
        state=state_of(situation, instance, previous),
        last_state=_last_state(identifier, previous),
        allocated_resources=container.resources.requests,
        resources=container_resources(container, instance, identifier, previous, inputs.actuated),
        user=_user(instance.user),
        stop_signal=_signal(instance) if inputs.gates.stop_signals else None,
        volume_mounts=volume_mounts(container, previous, supports_recursive=inputs.recursive_read_only),
    )


def state_of(situation: StatusSituation, instance: Instance, previous: ContainerStatus | None) -> ContainerState:
    """The state of an instance. In state UNKNOWN it has ended if it last was seen running."""
    match instance.state:
        case InstanceState.RUNNING:
            return ContainerState(running=ContainerStateRunning(started_at=_time(instance.started_at_ns)))
        case InstanceState.EXITED:
            return ContainerState(terminated=_terminated(situation, instance))
        case InstanceState.UNKNOWN:
            identifier = container_id(situation.inputs.runtime_name, instance.id)
            if previous is not None and previous.container_id == identifier:
                return _state_of_lost(situation, previous)
    return WAITING


def _state_of_lost(situation: StatusSituation, previous: ContainerStatus) -> ContainerState:
    if previous.state.running is not None:
        reason = RESTARTING_ALL if situation.restarts_all else STATUS_UNKNOWN
        end = ContainerStateTerminated(exit_code=KILLED, reason=reason, message=NOT_LOCATED)
        return ContainerState(terminated=end)
    return previous.state if previous.state.terminated is not None else WAITING


def _terminated(situation: StatusSituation, instance: Instance) -> ContainerStateTerminated:
    written = situation.inputs.messages.get(instance.id, "")
    return ContainerStateTerminated(
        exit_code=instance.exit_code,
        reason=instance.reason,
        message=": ".join(text for text in (instance.message, written) if text),
        started_at=_time(instance.started_at_ns),
        finished_at=_time(instance.finished_at_ns),
        container_id=container_id(situation.inputs.runtime_name, instance.id),
    )


def _time(nanoseconds: int) -> datetime | None:
    """The time in whole seconds, as in the API. None for 0: it has not happened."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC) if nanoseconds > 0 else None


def _restart_count(instance: Instance, identifier: str, previous: ContainerStatus | None) -> int:
    """The instance's own count, but at least the published one: instances may be removed and counted from 0 again."""
    if previous is None:
        return instance.restart_count
    is_same = previous.container_id == identifier
    if is_same and instance.state is InstanceState.UNKNOWN and previous.state.running is not None:
        return previous.restart_count + 1
    has_begun_anew = not is_same and instance.state is InstanceState.RUNNING and previous.state.terminated is not None
    if has_begun_anew and previous.restart_count >= instance.restart_count:
        return previous.restart_count + 1
    return max(instance.restart_count, previous.restart_count)


def _last_state(identifier: str, previous: ContainerStatus | None) -> ContainerState:
    """The end of the instance before this one from the previous status: it may be removed since."""
    if previous is None:
        return ContainerState()
    if previous.container_id != identifier and previous.state.terminated is not None:
        return previous.state
    return previous.last_state


def _user(user: UserStatus | None) -> ContainerUser | None:
    if user is None:
        return None
    return ContainerUser(
        linux=LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=user.supplemental_groups)
    )


def _signal(instance: Instance) -> str | None:
    """CRI spells real-time signals SIGRTMINPLUS1, the API SIGRTMIN+1. None when the runtime does not say."""
    return instance.stop_signal.replace("PLUS", "+").replace("MINUS", "-") or None
