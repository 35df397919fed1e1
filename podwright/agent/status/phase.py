"""The phase of a pod, from the statuses of its containers: getPhase of Kubernetes 1.36. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.decisions.restarts import restarts_after
from podwright.agent.pods.identity import is_sidecar, is_static
from podwright.agent.pods.phases import FAILED, PENDING, RUNNING, SUCCEEDED
from podwright.agent.runtime.records import CriSandboxState, ObservedPod
from podwright.agent.status.instances import RESTARTING_ALL
from podwright.k8s.objects import Container, ContainerStateTerminated, ContainerStatus, Pod

Statuses = Mapping[str, ContainerStatus]


class _ContainerCount(msgspec.Struct):
    """The numbers of regular containers and sidecars in each state."""

    unknown: int = 0
    running: int = 0
    waiting: int = 0  # and have never run
    stopped: int = 0
    stopped_for_good: int = 0
    succeeded: int = 0
    starting_sidecars: int = 0


def phase_of(pod: Pod, statuses: Statuses, *, is_terminal: bool, has_begun: bool) -> str:
    """The phase. `statuses` are those of init and regular containers, by name.

    `is_terminal`: no container runs or will run. `has_begun`: a regular container exists in the current sandbox.
    """
    if any(_has_failed_for_good(pod, container, statuses) for container in _init(pod)):
        return FAILED
    count = _ContainerCount()
    for container in _sidecars(pod):
        _add_sidecar(count, statuses.get(container.name))
    for container in pod.spec.containers:
        _add_regular(count, pod, container, statuses.get(container.name))
    is_initializing = any(_is_pending(statuses.get(container.name)) for container in _init(pod))
    if is_initializing or (count.starting_sidecars and not has_begun) or count.waiting or count.unknown:
        return PENDING
    if count.running:
        return RUNNING
    return _phase_of_stopped(pod, count, is_terminal=is_terminal)


def _phase_of_stopped(pod: Pod, count: _ContainerCount, *, is_terminal: bool) -> str:
    if not count.stopped:
        return PENDING
    may_restart = count.stopped != count.stopped_for_good
    if may_restart and not (is_terminal and not is_static(pod)):
        return RUNNING
    return SUCCEEDED if count.stopped == count.succeeded else FAILED


def has_begun(pod: Pod, observed: ObservedPod) -> bool:
    """Whether a regular container exists in the current sandbox, so that the pod has been initialized in it."""
    current = observed.sandboxes[0] if observed.sandboxes else None
    if current is None or current.state is not CriSandboxState.READY:
        return False
    names = {container.name for container in pod.spec.containers}
    return any(each.sandbox_id == current.id and each.name in names for each in observed.containers)


def _init(pod: Pod) -> list[Container]:
    return [container for container in pod.spec.init_containers if not is_sidecar(container)]


def _sidecars(pod: Pod) -> list[Container]:
    return [container for container in pod.spec.init_containers if is_sidecar(container)]


def _last_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    """The last end of a container that does not run, also if it waits to run again."""
    return status.state.terminated or (status.last_state.terminated if status.state.waiting is not None else None)


def _is_pending(status: ContainerStatus | None) -> bool:
    """Whether an init container has never ended."""
    return status is None or _last_end(status) is None


def _has_failed_for_good(pod: Pod, container: Container, statuses: Statuses) -> bool:
    status = statuses.get(container.name)
    end = _last_end(status) if status is not None else None
    return end is not None and end.exit_code != 0 and not _restarts(pod, container, end)


def _restarts(pod: Pod, container: Container, end: ContainerStateTerminated) -> bool:
    return restarts_after(pod, container, end.exit_code) or end.reason == RESTARTING_ALL


def _add_sidecar(count: _ContainerCount, status: ContainerStatus | None) -> None:
    """Count a sidecar. Its exit code never matters."""
    if status is None:
        count.unknown += 1
    elif status.state.running is not None:
        count.running += 1
        count.starting_sidecars += status.started is not True
    elif status.state.waiting is not None and status.last_state.terminated is None:
        count.starting_sidecars += 1
        count.waiting += 1


def _add_regular(count: _ContainerCount, pod: Pod, container: Container, status: ContainerStatus | None) -> None:
    if status is None:
        count.unknown += 1
    elif status.state.running is not None:
        count.running += 1
    elif (end := _last_end(status)) is None:
        count.waiting += 1
    else:
        count.stopped += 1
        count.stopped_for_good += not _restarts(pod, container, end)
        # A container that waits to run again has not succeeded, whatever its last exit code.
        count.succeeded += status.state.terminated is not None and end.exit_code == 0
