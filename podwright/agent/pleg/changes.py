"""The events that lead from one look at a pod to the next. Pure.

The events are the kubelet's (pkg/kubelet/pleg): a container or sandbox started, died, or was removed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from podwright.agent.runtime.records import CriContainerState, CriSandboxState, ObservedPod


class PodEventKind(enum.Enum):
    """What happened to a container or a sandbox."""

    STARTED = "started"
    DIED = "died"
    REMOVED = "removed"
    CHANGED = "changed"  # to a state that matters to nobody, such as CREATED


class PodEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of `id`, a container or a sandbox of the pod."""

    pod_uid: str
    kind: PodEventKind
    id: str


class Stage(enum.Enum):
    """The states of sandboxes and containers that events depend on."""

    RUNNING = "running"
    EXITED = "exited"
    OTHER = "other"


Stages = Mapping[str, Stage]

_OF_CONTAINER = {CriContainerState.RUNNING: Stage.RUNNING, CriContainerState.EXITED: Stage.EXITED}


def stage_of_container(state: CriContainerState) -> Stage:
    """CREATED and UNKNOWN are neither running nor exited."""
    return _OF_CONTAINER.get(state, Stage.OTHER)


def stage_of_sandbox(state: CriSandboxState) -> Stage:
    """A sandbox that is not ready has exited."""
    return Stage.RUNNING if state is CriSandboxState.READY else Stage.EXITED


def stages(pod: ObservedPod | None) -> dict[str, Stage]:
    """The stages of the pod's sandboxes and containers by id."""
    if pod is None:
        return {}
    found = {sandbox.id: stage_of_sandbox(sandbox.state) for sandbox in pod.sandboxes}
    found.update((status.id, stage_of_container(status.state)) for status in pod.containers)
    return found


def changes(pod_uid: str, before: Stages, after: Stages) -> list[PodEvent]:
    """The events that lead from one to the other."""
    found: list[PodEvent] = []

    def note(kind: PodEventKind, of: str) -> None:
        found.append(PodEvent(pod_uid=pod_uid, kind=kind, id=of))

    for key, stage in after.items():
        if before.get(key) is stage:
            continue
        if stage is Stage.RUNNING:
            note(PodEventKind.STARTED, key)
        elif stage is Stage.EXITED:
            note(PodEventKind.DIED, key)
        else:
            note(PodEventKind.CHANGED, key)
    for key, stage in before.items():
        if key not in after:
            if stage is not Stage.EXITED:
                note(PodEventKind.DIED, key)
            note(PodEventKind.REMOVED, key)
    return found
