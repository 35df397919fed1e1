"""Decides which pods end together when the node shuts down, and how long they have. Pure.

The rules are those of the kubelet (pkg/kubelet/nodeshutdown of Kubernetes 1.36).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from podwright.agent.config.machine_sections import PriorityGrace, ShutdownSection
from podwright.agent.pods.identity import SYSTEM_CRITICAL_PRIORITY
from podwright.k8s.objects import Pod


class ShutdownGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Pods that end together, within `grace_s`."""

    grace_s: int
    pods: tuple[Pod, ...]


def periods(config: ShutdownSection, *, by_priority: bool) -> tuple[PriorityGrace, ...]:
    """The grace periods by priority, lowest first. Empty if the shutdown does not wait for pods.

    `by_priority`: whether shutdownGracePeriodByPodPriority counts (its feature gate). Else there are two groups:
    critical pods end last, within their part of the whole time.
    """
    if by_priority and config.grace_by_priority:
        return tuple(sorted(config.grace_by_priority, key=lambda each: each.priority))
    whole_s, critical_s = config.grace_s, config.critical_grace_s
    if not whole_s or critical_s > whole_s:
        return ()
    return (
        PriorityGrace(priority=0, grace_s=int(whole_s - critical_s)),
        PriorityGrace(priority=SYSTEM_CRITICAL_PRIORITY, grace_s=int(critical_s)),
    )


def total_s(found: Iterable[PriorityGrace]) -> int:
    """The most seconds that a shutdown takes."""
    return sum(each.grace_s for each in found)


def groups(found: Sequence[PriorityGrace], pods: Iterable[Pod]) -> list[ShutdownGroup]:
    """The groups in their order, without empty ones.

    A pod belongs to the highest priority that is not above its own, or to the lowest one if all are.
    """
    members: list[list[Pod]] = [[] for _ in found]
    priorities = [each.priority for each in found]
    for pod in pods:
        index = bisect_right(priorities, pod.spec.priority or 0) - 1
        members[max(index, 0)].append(pod)
    return [
        ShutdownGroup(grace_s=period.grace_s, pods=tuple(each))
        for period, each in zip(found, members, strict=True)
        if each
    ]


def grace_s(pod: Pod, group: ShutdownGroup) -> int:
    """The grace of a pod: its own, or that of its group if that is shorter."""
    own_s = pod.spec.termination_grace_period_seconds
    return group.grace_s if own_s is None else min(own_s, group.grace_s)
