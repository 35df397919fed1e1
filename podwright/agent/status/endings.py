"""The last status of a pod: no part of it says that something runs or may run. Pure.

The rules are those of TerminatePod of pkg/kubelet/status/status_manager.go of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from podwright.agent.pods.identity import is_sidecar, is_static
from podwright.agent.pods.phases import FAILED, TERMINAL
from podwright.agent.status.conditions import with_readiness
from podwright.agent.status.instances import KILLED, NOT_LOCATED, STATUS_UNKNOWN
from podwright.k8s.objects import ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodStatus


def ended_status(pod: Pod, status: PodStatus) -> PodStatus:
    """The status with a terminal phase. A container whose end was not seen has failed.

    Only containers that may have run count as failed, so that the failure of an init container remains visible. A
    static pod keeps its phase, because its manifest starts it again.
    """
    init = status.init_container_statuses
    begun = _begun(init)
    regular = status.container_statuses
    ended = replace(
        status,
        init_container_statuses=(*(_ended(each) for each in init[:begun]), *init[begun:]),
        container_statuses=tuple(_ended(each) for each in regular) if _was_initialized(pod, status) else regular,
        phase=status.phase if status.phase in TERMINAL or is_static(pod) else FAILED,
    )
    return with_readiness(pod, ended)


def _ended(status: ContainerStatus) -> ContainerStatus:
    if status.state.terminated is not None:
        return status
    end = ContainerStateTerminated(exit_code=KILLED, reason=STATUS_UNKNOWN, message=NOT_LOCATED)
    return replace(status, state=ContainerState(terminated=end), ready=False, started=False)


def _was_initialized(pod: Pod, status: PodStatus) -> bool:
    """Whether regular containers may have run."""
    if not pod.spec.init_containers:
        return True
    if any(_has_run(each) for each in status.container_statuses):
        return True
    if len(status.init_container_statuses) != len(pod.spec.init_containers):
        return False
    container, last = pod.spec.init_containers[-1], status.init_container_statuses[-1]
    if is_sidecar(container):
        return last.state.running is not None and last.started is True
    ends = (last.state.terminated, last.last_state.terminated)
    return any(end is not None and end.exit_code == 0 for end in ends)


def _begun(statuses: Sequence[ContainerStatus]) -> int:
    """The number of init containers that were tried: up to the last one that has run, and at least one."""
    tried = [index for index, status in enumerate(statuses) if _has_run(status)]
    return max(tried, default=0) + 1


def _has_run(status: ContainerStatus) -> bool:
    return status.state.waiting is None or status.last_state.terminated is not None
