"""The conditions of a node. Pure.

Reasons and messages are the kubelet's (pkg/kubelet/nodestatus/setters.go of Kubernetes 1.36).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from podwright.k8s.objects import NodeCondition
from podwright.k8s.times import whole_seconds

READY, TRUE, FALSE = "Ready", "True", "False"


class Pressure(enum.Enum):
    """What the node is short of, by the name of its condition."""

    MEMORY = "MemoryPressure"
    DISK = "DiskPressure"
    PID = "PIDPressure"


class NewCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition without its times."""

    type: str
    status: str
    reason: str
    message: str


class ConditionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A condition whose status has changed, for an event with that `reason`."""

    type: str
    reason: str


_PRESSURES = {
    Pressure.MEMORY: (
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    ),
    Pressure.DISK: (
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    ),
    Pressure.PID: (
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
    ),
}
_EVENTS = {
    (READY, TRUE): "NodeReady",
    (READY, FALSE): "NodeNotReady",
    **{(pressure.value, TRUE): texts[2][0] for pressure, texts in _PRESSURES.items()},
    **{(pressure.value, FALSE): texts[2][1] for pressure, texts in _PRESSURES.items()},
}


def conditions(
    before: Sequence[NodeCondition], problems: Sequence[str], pressures: Collection[Pressure], now: datetime
) -> tuple[NodeCondition, ...]:
    """The conditions of others, then the agent's. The time of transition stays until the status changes."""
    own = [_pressure(pressure, pressures) for pressure in Pressure]
    own.append(_ready(problems))
    known = {condition.type: condition for condition in before}
    names = {finding.type for finding in own}
    foreign = [condition for condition in before if condition.type not in names]
    return (*foreign, *(_timed(finding, known.get(finding.type), whole_seconds(now)) for finding in own))


def changes(before: Iterable[NodeCondition], now: Iterable[NodeCondition]) -> list[ConditionChange]:
    """The agent's conditions whose status has changed."""
    known = {condition.type: condition.status for condition in before}
    return [
        ConditionChange(type=condition.type, reason=reason)
        for condition in now
        if known.get(condition.type) != condition.status
        and (reason := _EVENTS.get((condition.type, condition.status)))
    ]


def is_ready(found: Iterable[NodeCondition]) -> bool:
    """Whether the conditions say that the node is ready."""
    return any(condition.type == READY and condition.status == TRUE for condition in found)


def _ready(problems: Sequence[str]) -> NewCondition:
    if not problems:
        return NewCondition(type=READY, status=TRUE, reason="KubeletReady", message="kubelet is posting ready status")
    message = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return NewCondition(type=READY, status=FALSE, reason="KubeletNotReady", message=message)


def _pressure(pressure: Pressure, found: Collection[Pressure]) -> NewCondition:
    is_found = pressure in found
    reason, message = _PRESSURES[pressure][0 if is_found else 1]
    return NewCondition(type=pressure.value, status=TRUE if is_found else FALSE, reason=reason, message=message)


def _timed(finding: NewCondition, before: NodeCondition | None, now: datetime) -> NodeCondition:
    same = before is not None and before.status == finding.status
    return NodeCondition(
        type=finding.type,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        last_heartbeat_time=now,
        last_transition_time=before.last_transition_time if before is not None and same else now,
    )
