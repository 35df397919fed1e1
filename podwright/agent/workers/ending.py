"""Ends pods for the sake of the node: for eviction, preemption and shutdown.

The pod fails with a reason that its owner sees, and with a condition if the pod was not at fault. The rules are those
of killPodNow (pkg/kubelet/pod_workers.go of Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec.structs import replace

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.agent.status.conditions import DISRUPTION_TARGET
from podwright.agent.workers.updates import KillOptions, PodUpdate, UpdateKind
from podwright.k8s.objects import Pod, PodCondition, PodStatus

TERMINATION_BY_KUBELET = "TerminationByKubelet"
SHORTEST_WAIT_S = 10.0  # what the runtime may take in addition to the grace
WAIT_PER_GRACE = 1.5


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pod is ended. `disruption` is the message of DisruptionTarget, empty if the pod itself is at fault.

    `evicts`: nothing of the pod is needed any more. `keeps_success`: a pod that has succeeded does not become Failed.
    """

    reason: str
    message: str
    disruption: str = ""
    evicts: bool = False
    keeps_success: bool = False


class Ender(Protocol):
    """The interface of `PodEnder`."""

    async def end(self, pod: Pod, cause: Cause, grace_s: int | None = None) -> bool:
        """End a pod and wait for its containers. Returns False if they need much longer than the grace, and end later.

        `grace_s` replaces the pod's own grace when it is shorter.
        """


class PodKiller(Protocol):
    """Ends pods: `workers.pool`."""

    async def kill(self, update: PodUpdate, timeout_s: float) -> bool:
        """End a pod and wait until its containers have ended. Returns False after `timeout_s`."""


class PodEnder:
    """Ends one pod with each call."""

    def __init__(self, workers: PodKiller, events: EventRecorder) -> None:
        self._workers = workers
        self._events = events

    async def end(self, pod: Pod, cause: Cause, grace_s: int | None = None) -> bool:
        kill = KillOptions(grace_s=grace_s, evict=cause.evicts, set_status=lambda status: ended(status, pod, cause))
        own_s = grace_s if grace_s is not None else pod.spec.termination_grace_period_seconds
        timeout_s = max((own_s or 0) * WAIT_PER_GRACE, SHORTEST_WAIT_S)
        if await self._workers.kill(PodUpdate(kind=UpdateKind.KILL, pod=pod, kill=kill), timeout_s):
            return True
        message = "Container runtime did not kill the pod within specified grace period."
        self._events.pod(pod, "Warning", "ExceededGracePeriod", message)
        return False


def ended(status: PodStatus, pod: Pod, cause: Cause) -> PodStatus:
    """The status of a pod while it is ended. Pure."""
    keeps_phase = cause.keeps_success and status.phase == SUCCEEDED
    status = replace(status, phase=status.phase if keeps_phase else FAILED, reason=cause.reason, message=cause.message)
    if not cause.disruption:
        return status
    condition = PodCondition(
        type=DISRUPTION_TARGET,
        status="True",
        reason=TERMINATION_BY_KUBELET,
        message=cause.disruption,
        observed_generation=pod.metadata.generation,
    )
    others = tuple(each for each in status.conditions if each.type != DISRUPTION_TARGET)
    return replace(status, conditions=(*others, condition))
