"""The order in which pending resizes are tried. Pure.

The rules are those of sortPendingResizes (pkg/kubelet/allocation of Kubernetes 1.36): those that want no more come
first, then by priority, then guaranteed pods, then those that have waited longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from podwright.agent.pods.allocation import COMPUTE
from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.resources import ZERO, pod_requests
from podwright.k8s.objects import Pod

_LAST = datetime.max.replace(tzinfo=UTC)


class PendingResize(msgspec.Struct, frozen=True, kw_only=True):
    """A pod as wanted and as allocated, and since when it waits (None: not tried yet)."""

    wanted: Pod
    allocated: Pod
    since: datetime | None = None


def in_order(pending: Sequence[PendingResize]) -> list[PendingResize]:
    """The resizes in the order of the tries."""
    return sorted(pending, key=_rank)


def asks_for_more(wanted: Pod, allocated: Pod) -> bool:
    """Whether a resize raises what the pod requests of CPU or memory."""
    new, old = pod_requests(wanted.spec), pod_requests(allocated.spec)
    return any(new.get(name, ZERO) > old.get(name, ZERO) for name in COMPUTE)


def _rank(each: PendingResize) -> tuple[bool, int, bool, datetime]:
    pod = each.wanted
    return (
        asks_for_more(pod, each.allocated),
        -(pod.spec.priority or 0),
        qos_class(pod) != "Guaranteed",
        each.since or _LAST,
    )
