"""CRI's events, and which of them a change of a record means. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

import msgspec

from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState

Record: TypeAlias = Sandbox | Container
State: TypeAlias = SandboxState | ContainerState


class EventKind(IntEnum):
    """CRI's ContainerEventType, used for sandboxes as well."""

    CREATED = 0
    STARTED = 1
    STOPPED = 2
    DELETED = 3


class ContainerEvent(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An event about `subject`. `sandbox` and its `containers` are the whole pod right after it.

    `at` is in nanoseconds since the epoch. For a deleted sandbox, `sandbox` is its last record.
    """

    kind: EventKind
    subject: SandboxId | ContainerId
    at: int
    sandbox: Sandbox
    containers: tuple[Container, ...]


HIDDEN = frozenset({SandboxState.CREATING, ContainerState.CREATING})
ENTERED: dict[State, tuple[EventKind, ...]] = {
    SandboxState.READY: (EventKind.STARTED,),
    SandboxState.STOPPING: (),
    SandboxState.NOTREADY: (EventKind.STOPPED,),
    ContainerState.CREATED: (),
    ContainerState.RUNNING: (EventKind.STARTED,),
    ContainerState.EXITED: (EventKind.STOPPED,),
}


def kinds(before: Record | None, after: Record | None) -> tuple[EventKind, ...]:
    """The events that the change of a record means. Clients do not see CREATING records. None means no record."""
    old, new = _shown(before), _shown(after)
    if old is new:
        return ()
    if new is None:
        return (EventKind.DELETED,)
    return (*(() if old else (EventKind.CREATED,)), *ENTERED[new])


def _shown(record: Record | None) -> State | None:
    return None if record is None or record.state in HIDDEN else record.state
