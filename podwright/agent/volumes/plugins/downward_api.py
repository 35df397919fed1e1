"""downwardAPI: fields of the pod and resources of its containers as files, in memory."""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.volumes import places
from podwright.agent.volumes.memory_size import memory_of
from podwright.agent.volumes.objects_to_files import downward_files
from podwright.agent.volumes.plans import FilesPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest, files_plan
from podwright.agent.volumes.ports import DownwardApi
from podwright.k8s.objects import DownwardAPIVolumeSource


class DownwardApiVolume:
    """A volume of the downward API."""

    follows_changes = True

    def __init__(self, downward: DownwardApi, allocatable_bytes: Callable[[], int]) -> None:
        self._downward = downward
        self._allocatable_bytes = allocatable_bytes

    async def plan(self, request: VolumeRequest) -> FilesPlan:
        source = request.volume.downward_api or DownwardAPIVolumeSource()
        files = downward_files(request.pod, self._downward, source.items, source.default_mode)
        return files_plan(request, places.DOWNWARD_API, files, memory_of(request.pod, self._allocatable_bytes()))
