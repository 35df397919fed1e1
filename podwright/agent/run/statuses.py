"""Facts that a run takes from a PodStatus. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.k8s.objects import ContainerStatus, Pod, PodStatus

# By the pods' UIDs. A pod without a status yet has `PodStatus()`.
Statuses = Mapping[str, PodStatus]


def is_terminal(status: PodStatus) -> bool:
    """Whether the pod is over."""
    return status.phase in (SUCCEEDED, FAILED)


def is_ready(status: PodStatus) -> bool:
    """Whether the pod's Ready condition is true."""
    return any(each.type == "Ready" and each.status == "True" for each in status.conditions)


def all_statuses(status: PodStatus) -> Iterator[ContainerStatus]:
    """The statuses of all containers, those of init containers first."""
    yield from status.init_container_statuses
    yield from status.container_statuses


def restarts(status: PodStatus) -> int:
    """How often containers of the pod were started again."""
    return sum(each.restart_count for each in all_statuses(status))


def finished_at(status: PodStatus) -> datetime | None:
    """When the last container of the pod ended."""
    ends = [
        each.state.terminated.finished_at
        for each in all_statuses(status)
        if each.state.terminated is not None and each.state.terminated.finished_at is not None
    ]
    return max(ends, default=None)


def sidecar_names(pod: Pod) -> frozenset[str]:
    """The names of the sidecars."""
    return frozenset(container.name for container in pod.spec.init_containers if is_sidecar(container))
