"""The interface for recording events. The reasons are the kubelet's (pkg/kubelet/events)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from podwright.k8s.objects import Pod

EventType = Literal["Normal", "Warning"]


class EventRecorder(Protocol):
    """Records events. Never waits and never fails."""

    def pod(
        self,
        pod: Pod,
        type: EventType,  # noqa: A002 # the API's word
        reason: str,
        message: str,
        *,
        container: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Record an event about a pod, or one of its containers by name. `annotations` are for programs."""

    def node(self, type: EventType, reason: str, message: str) -> None:  # noqa: A002 # as above
        """Record an event about the node."""
