"""What the API shows of containers and pods, in few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from podwright.agent.status.inputs import StatusInputs
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    PodCondition,
    PodStatus,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 3, 1, 11, tzinfo=UTC)

RUNS = ContainerState(running=ContainerStateRunning(started_at=EARLIER))
NONE = ContainerState()


def waits(reason: str = "ContainerCreating", message: str = "") -> ContainerState:
    """A container that does not run yet, or again."""
    return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))


def ended(exit_code: int = 0, reason: str = "", **fields: Any) -> ContainerState:
    """A container that has ended."""
    reason = reason or ("Error" if exit_code else "Completed")
    return ContainerState(terminated=ContainerStateTerminated(exit_code=exit_code, reason=reason, **fields))


def shown(
    name: str = "main", state: ContainerState = RUNS, last: ContainerState = NONE, count: int = 0, **fields: Any
) -> ContainerStatus:
    """A container's status."""
    defaults: dict[str, Any] = {"image": "app:1", "image_id": "", "ready": False}
    defaults["container_id"] = f"containerd://{name}-{count}"
    return ContainerStatus(name=name, state=state, last_state=last, restart_count=count, **{**defaults, **fields})


def condition(type_: str, status: str = "True", **fields: Any) -> PodCondition:
    """A condition."""
    return PodCondition(type=type_, status=status, **fields)


def inputs(previous: PodStatus | None = None, **fields: Any) -> StatusInputs:
    """The inputs of a status, with nothing special about them."""
    return StatusInputs(**{"previous": previous or PodStatus(), "now": NOW, "node_ips": ("192.0.2.1",), **fields})
