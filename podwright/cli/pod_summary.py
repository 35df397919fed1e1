"""A pod in one line, as in `kubectl get pods`. Pure.

The rules are those of printPod in Kubernetes 1.36 (pkg/printers/internalversion/printers.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from podwright.k8s.objects import ContainerStateTerminated, ContainerStatus, Pod, PodStatus

TERMINAL = ("Succeeded", "Failed")


class PodSummary(msgspec.Struct, frozen=True, kw_only=True):
    """READY, STATUS and RESTARTS. `last_restart` is None without restarts."""

    ready: int
    containers: int
    status: str
    restarts: int
    last_restart: datetime | None


class _Count(msgspec.Struct):
    """Sums over containers."""

    ready: int = 0
    restarts: int = 0
    last_restart: datetime | None = None

    def add_restarts(self, statuses: Iterable[ContainerStatus]) -> None:
        for status in statuses:
            self.restarts += status.restart_count
            end = status.last_state.terminated
            if end is not None and end.finished_at is not None:
                self.last_restart = max(self.last_restart or end.finished_at, end.finished_at)


def summarise(pod: Pod) -> PodSummary:
    """The pod's line."""
    sidecars = {each.name for each in pod.spec.init_containers if each.restart_policy == "Always"}
    count = _Count()
    reason = _phase_reason(pod.status)
    stuck, walked = _initializing(pod, sidecars, count)
    if stuck and not _has_condition(pod.status, "Initialized"):
        reason = stuck
        count.add_restarts(walked)
    else:
        count.add_restarts(each for each in walked if each.name in sidecars)
        count.add_restarts(pod.status.container_statuses)
        reason = _regular(pod.status, stuck or reason, count)
    if pod.metadata.deletion_timestamp is not None:
        if pod.status.reason == "NodeLost":
            reason = "Unknown"
        elif pod.status.phase not in TERMINAL:
            reason = "Terminating"
    return PodSummary(
        ready=count.ready,
        containers=len(pod.spec.containers) + len(sidecars),
        status=reason,
        restarts=count.restarts,
        last_restart=count.last_restart,
    )


def _phase_reason(status: PodStatus) -> str:
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.reason == "SchedulingGated":
            return "SchedulingGated"
    return status.reason or status.phase


def _initializing(pod: Pod, sidecars: set[str], count: _Count) -> tuple[str, list[ContainerStatus]]:
    """The state of the first unfinished init container, and the containers up to it. Empty if all have finished."""
    walked = []
    for index, status in enumerate(pod.status.init_container_statuses):
        walked.append(status)
        ended, waiting = status.state.terminated, status.state.waiting
        if ended is not None and ended.exit_code == 0:
            continue
        if status.name in sidecars and status.started:
            count.ready += status.ready
            continue
        if ended is not None:
            return f"Init:{_end_reason(ended)}", walked
        if waiting is not None and waiting.reason not in ("", "PodInitializing"):
            return f"Init:{waiting.reason}", walked
        return f"Init:{index}/{len(pod.spec.init_containers)}", walked
    return "", walked


def _regular(status: PodStatus, reason: str, count: _Count) -> str:
    runs, error = False, ""
    for each in reversed(status.container_statuses):
        ended, waiting = each.state.terminated, each.state.waiting
        if waiting is not None and waiting.reason:
            reason = waiting.reason
        elif ended is not None:
            reason = _end_reason(ended)
            error = reason if ended.exit_code else error
        elif each.ready and each.state.running is not None:
            runs = True
            count.ready += 1
    if reason != "Completed":
        return reason
    if runs and _has_condition(status, "Ready"):
        return "Running"
    return error or ("NotReady" if runs else reason)


def _end_reason(ended: ContainerStateTerminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def _has_condition(status: PodStatus, kind: str) -> bool:
    return any(each.type == kind and each.status == "True" for each in status.conditions)
