"""What the runtime says about a pod, as values. Made by `observe`, read by every decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ContainerState = Literal["created", "running", "exited", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    """One instance of a container. Times are nanoseconds since the epoch, 0 for "not yet"."""

    id: str
    name: str
    attempt: int
    state: ContainerState
    sandbox_id: str = ""
    created_at_ns: int = 0
    started_at_ns: int = 0
    finished_at_ns: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""

    @property
    def succeeded(self) -> bool:
        """Ended with code 0."""
        return self.state == "exited" and self.exit_code == 0

    @property
    def failed(self) -> bool:
        """Ended otherwise."""
        return self.state == "exited" and self.exit_code != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRecord:
    """One sandbox of the pod."""

    id: str
    attempt: int
    ready: bool
    created_at_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStatus:
    """Everything that the runtime holds of one pod, newest first."""

    sandboxes: tuple[SandboxRecord, ...] = ()
    containers: tuple[ContainerRecord, ...] = ()

    def newest(self, name: str) -> ContainerRecord | None:
        """The newest instance of a container."""
        return next((record for record in self.containers if record.name == name), None)

    def running(self) -> tuple[ContainerRecord, ...]:
        """All instances that run."""
        return tuple(record for record in self.containers if record.state == "running")


def newest_first(
    sandboxes: list[SandboxRecord], containers: list[ContainerRecord]
) -> tuple[tuple[SandboxRecord, ...], tuple[ContainerRecord, ...]]:
    """Both lists in the order that PodStatus promises: by attempt, then by creation."""
    by_age = sorted(sandboxes, key=lambda record: (record.attempt, record.created_at_ns), reverse=True)
    instances = sorted(containers, key=lambda record: (record.attempt, record.created_at_ns), reverse=True)
    return tuple(by_age), tuple(instances)
