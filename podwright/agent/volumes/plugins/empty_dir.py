"""emptyDir: a directory that lives as long as the pod, on disk, in memory, or in huge pages.

`sizeLimit` limits a tmpfs. On disk the eviction manager enforces it.
"""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.volumes import places
from podwright.agent.volumes.groups import fs_group
from podwright.agent.volumes.memory_size import medium_of
from podwright.agent.volumes.plans import EmptyDirPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest
from podwright.k8s.objects import EmptyDirVolumeSource


class EmptyDir:
    """An empty directory of the pod's own."""

    follows_changes = False

    def __init__(self, allocatable_bytes: Callable[[], int]) -> None:
        self._allocatable_bytes = allocatable_bytes

    async def plan(self, request: VolumeRequest) -> EmptyDirPlan:
        """A volume without any source is an emptyDir as well."""
        source, name = request.volume.empty_dir or EmptyDirVolumeSource(), request.volume.name
        return EmptyDirPlan(
            path=places.volume_directory(request.directory, places.EMPTY_DIR, name),
            ready=places.ready_directory(request.directory, name, is_wrapped=False),
            medium=medium_of(source, request.pod, self._allocatable_bytes()),
            group=fs_group(request.pod),
        )
