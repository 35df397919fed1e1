"""What a pod amounts to: its phase while it runs, and success or failure at its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.agent.run.excerpt import excerpt
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedContainer:
    """A container that makes the pod a failure."""

    name: str
    reason: str
    exit_code: int | None = None
    message: str = ""

    def __str__(self) -> str:
        code = f" exited with code {self.exit_code}" if self.exit_code is not None else " failed"
        reason = f" ({self.reason})" if self.reason else ""
        message = excerpt(self.message)
        return f"container {self.name}{code}{reason}" + (f": {message}" if message else "")


def is_pod_running(pod: Pod, status: PodStatus) -> bool:
    """Every regular container has been started at least once."""
    return all(
        (record := status.newest(container.name)) is not None and record.state in ("running", "exited")
        for container in pod.spec.containers
    )


def failures(pod: Pod, status: PodStatus) -> tuple[FailedContainer, ...]:
    """The containers whose last instance ended in failure; sidecars never count."""
    found = []
    for _, container in pod.all_containers():
        record = status.newest(container.name)
        if record is not None and record.failed and not pod.is_sidecar(container):
            found.append(_failed(record))
    return tuple(found)


def _failed(record: ContainerRecord) -> FailedContainer:
    return FailedContainer(name=record.name, reason=record.reason, exit_code=record.exit_code, message=record.message)
