"""What is new between two looks at a pod, for the reporter. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.agent.run.reporter import ContainerChange
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus


def changes(pod: Pod, before: PodStatus, now: PodStatus) -> Iterator[tuple[ContainerRecord, ContainerChange]]:
    """Containers that have started or ended since, oldest first. One that did both between two looks yields both."""
    states = {record.id: record.state for record in before.containers}
    for record in reversed(now.containers):
        old = states.get(record.id)
        ran = record.state == "running" or (record.state == "exited" and record.started_at_ns > 0)
        if ran and old not in ("running", "exited"):
            yield record, _change(pod, record, "running")
        if record.state == "exited" and old != "exited":
            yield record, _change(pod, record, "exited")


def _change(pod: Pod, record: ContainerRecord, phase: str) -> ContainerChange:
    init = pod.is_init(record.name)
    if phase == "running":
        return ContainerChange(container=record.name, phase="running", attempt=record.attempt, init=init)
    return ContainerChange(
        container=record.name,
        phase="exited",
        attempt=record.attempt,
        init=init,
        reason=record.reason,
        exit_code=record.exit_code,
        message=record.message,
    )
