"""Giving a volume to the pod's group in a thread, with events when it takes long."""

from __future__ import annotations

from functools import partial

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.volumes.ownership import GroupChange, OwnershipProgress, change_group
from podwright.agent.volumes.slow_groups import reported
from podwright.agent.volumes.threads import Work
from podwright.k8s.objects import Pod


async def give_to_group(work: Work, events: EventRecorder, pod: Pod, path: str, change: GroupChange) -> None:
    """Change the group of all that is at `path`. Raises OSError."""
    progress = OwnershipProgress()
    with reported(events, pod, path, progress):
        await work.run(pod.metadata.uid, partial(change_group, path, change, progress))
