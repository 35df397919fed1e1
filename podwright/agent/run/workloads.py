"""Workloads: which pods each of them wants now, and whether it is over. Pure.

A workload is a constant value. The statuses of its pods are arguments.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.agent.run.statuses import Statuses, is_ready
from podwright.k8s.objects import Pod


class WorkloadState(enum.Enum):
    """Whether a workload runs, and how it ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class JobVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` says why it failed, if its pods do not: `BackoffLimitExceeded` and the like."""

    state: WorkloadState
    reason: str = ""


class Workload(Protocol):
    """One object of a file that has pods. `statuses` has an entry for each pod that was wanted before."""

    @property
    def owner(self) -> str:
        """`Deployment default/web`, for people."""

    def pods(self, statuses: Statuses, now: datetime) -> tuple[Pod, ...]:
        """The pods that are to exist now, those that have ended included."""

    def is_complete(self, statuses: Statuses) -> bool:
        """Whether every pod that is to run beside the others has been wanted."""

    def verdict(self, statuses: Statuses, now: datetime) -> JobVerdict:
        """Whether it is over."""

    def due(self, statuses: Statuses, now: datetime) -> datetime | None:
        """When `pods` or `verdict` change without a new status. None for never."""


def together(statuses: Statuses, pods: Iterable[Pod]) -> JobVerdict:
    """The verdict of pods that all have to succeed."""
    phases = {statuses[pod.metadata.uid].phase if pod.metadata.uid in statuses else "" for pod in pods}
    if FAILED in phases:
        return JobVerdict(state=WorkloadState.FAILED)
    return JobVerdict(state=WorkloadState.SUCCEEDED if phases <= {SUCCEEDED} else WorkloadState.RUNNING)


class ParallelPods(msgspec.Struct, frozen=True, kw_only=True):
    """Pods that all run from the beginning: a Pod, or the replicas of a Deployment."""

    owner: str
    members: tuple[Pod, ...]

    def pods(self, statuses: Statuses, now: datetime) -> tuple[Pod, ...]:  # noqa: ARG002 # the protocol's
        return self.members

    def is_complete(self, statuses: Statuses) -> bool:  # noqa: ARG002 # the protocol's
        return True

    def verdict(self, statuses: Statuses, now: datetime) -> JobVerdict:  # noqa: ARG002 # the protocol's
        return together(statuses, self.members)

    def due(self, statuses: Statuses, now: datetime) -> datetime | None:  # noqa: ARG002 # the protocol's
        return None


class OrderedPods(msgspec.Struct, frozen=True, kw_only=True):
    """Pods that start one after the other, each when those before it are ready (podManagementPolicy OrderedReady).

    A pod that was started stays, also when one before it is not ready any more.
    """

    owner: str
    members: tuple[Pod, ...]

    def pods(self, statuses: Statuses, now: datetime) -> tuple[Pod, ...]:  # noqa: ARG002 # the protocol's
        wanted: list[Pod] = []
        may_start = True
        for pod in self.members:
            status = statuses.get(pod.metadata.uid)
            if status is None and not may_start:
                continue
            wanted.append(pod)
            may_start = may_start and status is not None and is_ready(status)
        return tuple(wanted)

    def is_complete(self, statuses: Statuses) -> bool:
        return all(pod.metadata.uid in statuses for pod in self.members)

    def verdict(self, statuses: Statuses, now: datetime) -> JobVerdict:  # noqa: ARG002 # the protocol's
        return together(statuses, self.members)

    def due(self, statuses: Statuses, now: datetime) -> datetime | None:  # noqa: ARG002 # the protocol's
        return None
