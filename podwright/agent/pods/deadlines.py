"""activeDeadlineSeconds: how long a pod may be active. Times are nanoseconds since the epoch."""

from __future__ import annotations

from podwright.agent.pods.phases import TERMINAL
from podwright.k8s.objects import Pod, PodStatus

DEADLINE_EXCEEDED = "DeadlineExceeded"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def deadline_ns(pod: Pod, status: PodStatus | None) -> int | None:
    """The end of the pod's time. None for a pod without a limit, or that has not begun."""
    limit_s = pod.spec.active_deadline_seconds
    start = status.start_time if status is not None else pod.status.start_time
    if limit_s is None or start is None:
        return None
    return int(start.timestamp() * 1e9) + limit_s * 10**9


def has_passed_deadline(pod: Pod, status: PodStatus | None, now_ns: int) -> bool:
    """Whether the pod has been active for too long, and has not ended."""
    deadline = deadline_ns(pod, status)
    phase = status.phase if status is not None else pod.status.phase
    return deadline is not None and now_ns >= deadline and phase not in TERMINAL
