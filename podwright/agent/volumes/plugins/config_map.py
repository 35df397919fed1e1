"""configMap: the keys of a ConfigMap as files, on disk."""

from __future__ import annotations

from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.volumes import places
from podwright.agent.volumes.objects_to_files import config_map_files
from podwright.agent.volumes.plans import FilesPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest, files_plan
from podwright.k8s.objects import ConfigMapVolumeSource


class ConfigMapVolume:
    """A volume of a ConfigMap."""

    follows_changes = True

    def __init__(self, objects: ObjectGetter) -> None:
        self._objects = objects

    async def plan(self, request: VolumeRequest) -> FilesPlan:
        source = request.volume.config_map or ConfigMapVolumeSource()
        found = await self._objects.config_map(request.pod.metadata.namespace, source.name)
        files = config_map_files(source.name, found, source.items, source.default_mode, optional=bool(source.optional))
        is_final = found is not None and bool(found.immutable)
        return files_plan(request, places.CONFIG_MAP, files, None, is_final=is_final)
