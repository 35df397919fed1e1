"""Finds the changes between two statuses of a pod, in the order in which they happened. Pure.

An instance that started and ended between the two is shown with both changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podwright.agent.pods.identity import is_sidecar
from podwright.agent.run.reporter import ContainerChange, PodPhase
from podwright.agent.run.statuses import all_statuses
from podwright.k8s.objects import Container, ContainerStateTerminated, ContainerStatus, Pod, PodStatus

# The agent's reason for containers that had not run when their pod ended. Their end is not shown.
UNSEEN = "ContainerStatusUnknown"
# Reasons that every container has for a while. They are not shown.
USUAL_WAITS = frozenset({"", "ContainerCreating", "PodInitializing"})
PHASES: dict[str, PodPhase] = {"Running": "Running", "Succeeded": "Succeeded", "Failed": "Failed"}


class PodChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the pod's phase."""

    phase: PodPhase
    message: str = ""


def changes(pod: Pod, before: PodStatus, now: PodStatus, *, label: str = "") -> Iterator[ContainerChange | PodChange]:
    """All changes. `label` is the pod's name, if containers are shown with it."""
    old = {status.name: status for status in all_statuses(before)}
    for status in all_statuses(now):
        yield from _container_changes(pod, old.get(status.name), status, label)
    if now.phase != before.phase and now.phase in PHASES:
        yield PodChange(phase=PHASES[now.phase], message=": ".join(part for part in (now.reason, now.message) if part))


def _container_changes(
    pod: Pod, before: ContainerStatus | None, now: ContainerStatus, label: str
) -> Iterator[ContainerChange]:
    is_init = any(container.name == now.name for container in pod.spec.init_containers)

    def changed(phase: str, attempt: int, **more: object) -> ContainerChange:
        fields: dict[str, object] = {"container": now.name, "phase": phase, "pod": label, "init": is_init}
        return ContainerChange(**{**fields, "attempt": attempt, **more})  # type: ignore[arg-type]

    started = _running_id(before)
    for attempt, end in _new_ends(before, now):
        if end.started_at is not None and end.container_id != started:
            yield changed("running", attempt)
        yield changed("exited", attempt, exit_code=end.exit_code, reason=end.reason, message=end.message)
    if now.state.running is not None and _running_id(now) != started:
        yield changed("running", now.restart_count)
    waiting = now.state.waiting
    if waiting is not None and waiting.reason not in USUAL_WAITS and waiting.reason != _waiting_reason(before):
        yield changed("waiting", now.restart_count, reason=waiting.reason, message=waiting.message)
    if now.state.running is not None and _is_probed(pod, now.name):
        was_ready = before is not None and before.ready and _running_id(before) == _running_id(now)
        if now.ready != was_ready:
            yield changed("ready" if now.ready else "not ready", now.restart_count)


def _new_ends(before: ContainerStatus | None, now: ContainerStatus) -> Iterator[tuple[int, ContainerStateTerminated]]:
    """(attempt, end) of each instance whose end was not shown before, oldest first.

    If the newest instance was removed, an end may be older than all in the status before.
    """
    known = dict(_ends(before)) if before is not None else {}
    newest = max(known, default=-1)
    known_ids = {end.container_id for end in known.values() if end.container_id}
    for attempt, end in _ends(now):
        if attempt < newest or (end.reason == UNSEEN and not end.container_id):
            continue
        if end not in known.values() and end.container_id not in known_ids:
            yield attempt, end


def _ends(status: ContainerStatus) -> Iterator[tuple[int, ContainerStateTerminated]]:
    last = status.last_state.terminated
    if last is not None:
        # If a container waits for its next start, its newest instance is in its last state.
        is_newest = last.container_id == status.container_id
        yield status.restart_count - (0 if is_newest else 1), last
    if status.state.terminated is not None:
        yield status.restart_count, status.state.terminated


def _running_id(status: ContainerStatus | None) -> str | None:
    if status is None or status.state.running is None:
        return None
    return status.container_id


def _waiting_reason(status: ContainerStatus | None) -> str:
    return status.state.waiting.reason if status is not None and status.state.waiting is not None else ""


def _is_probed(pod: Pod, name: str) -> bool:
    """Whether the container has a readiness or startup probe."""
    lasting: list[Container] = [each for each in pod.spec.init_containers if is_sidecar(each)]
    container = next((each for each in (*lasting, *pod.spec.containers) if each.name == name), None)
    return container is not None and (container.readiness_probe is not None or container.startup_probe is not None)
