"""An `EventRecorder` that remembers."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.events.recorder import EventType
from podwright.k8s.objects import Pod


class RecordedEvents:
    """`seen` holds (pod's name, reason, message) in order; the node's events have an empty name."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.annotations: list[dict[str, str]] = []  # of those events that have any

    def pod(
        self,
        pod: Pod,
        type: EventType,  # noqa: A002
        reason: str,
        message: str,
        *,
        container: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        if annotations:
            self.annotations.append(dict(annotations))
        self.seen.append((pod.metadata.name, reason, message))

    def node(self, type: EventType, reason: str, message: str) -> None:  # noqa: A002
        self.seen.append(("", reason, message))

    def reasons(self, name: str = "") -> list[str]:
        """The reasons of one pod's events, or of all."""
        return [reason for of, reason, _ in self.seen if name in ("", of)]
