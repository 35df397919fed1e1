"""secret: the keys of a Secret as files, in memory only."""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.volumes import places
from podwright.agent.volumes.memory_size import memory_of
from podwright.agent.volumes.objects_to_files import secret_files
from podwright.agent.volumes.plans import FilesPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest, files_plan
from podwright.k8s.objects import SecretVolumeSource


class SecretVolume:
    """A volume of a Secret."""

    follows_changes = True

    def __init__(self, objects: ObjectGetter, allocatable_bytes: Callable[[], int]) -> None:
        self._objects = objects
        self._allocatable_bytes = allocatable_bytes

    async def plan(self, request: VolumeRequest) -> FilesPlan:
        source = request.volume.secret or SecretVolumeSource()
        found = await self._objects.secret(request.pod.metadata.namespace, source.secret_name)
        files = secret_files(
            source.secret_name, found, source.items, source.default_mode, optional=bool(source.optional)
        )
        medium = memory_of(request.pod, self._allocatable_bytes())
        is_final = found is not None and bool(found.immutable)
        return files_plan(request, places.SECRET, files, medium, is_final=is_final)
