"""Where events go. The reasons are the kubelet's (pkg/kubelet/events)."""

from __future__ import annotations

from typing import Literal, Protocol

from podwright.k8s.objects import Pod

EventType = Literal["Normal", "Warning"]


class EventRecorder(Protocol):
    """Takes events; never waits and never fails."""

    def pod(self, pod: Pod, type: EventType, reason: str, message: str, *, container: str = "") -> None:  # noqa: A002 # the API's word
        """About a pod, or one of its containers by name."""

    def node(self, type: EventType, reason: str, message: str) -> None:  # noqa: A002 # as above
        """About the node."""
