"""The phases of a pod (PodPhase of the API)."""

from __future__ import annotations

from podwright.k8s.objects import Pod

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
TERMINAL = frozenset({SUCCEEDED, FAILED})


def has_ended(pod: Pod) -> bool:
    """Whether the pod's own status says that it has ended for good."""
    return pod.status.phase in TERMINAL
