"""projected: files of several sources in one volume, in memory. Of two files with one path the later one counts."""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.volumes import places
from podwright.agent.volumes.groups import fs_group, token_user
from podwright.agent.volumes.memory_size import memory_of
from podwright.agent.volumes.objects_to_files import (
    DEFAULT_MODE,
    Files,
    config_map_files,
    downward_files,
    raise_together,
    secret_files,
)
from podwright.agent.volumes.plans import FilesPlan, PayloadFile
from podwright.agent.volumes.plugins.protocol import VolumeRequest, files_plan
from podwright.agent.volumes.ports import ClusterSources, DownwardApi
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, PodCertificateProjection, ProjectedVolumeSource, VolumeProjection

PRIVATE_MODE = 0o600


class Projected:
    """A volume of several sources."""

    follows_changes = True

    def __init__(
        self,
        objects: ObjectGetter,
        downward: DownwardApi,
        cluster: ClusterSources,
        allocatable_bytes: Callable[[], int],
    ) -> None:
        self._objects = objects
        self._downward = downward
        self._cluster = cluster
        self._allocatable_bytes = allocatable_bytes

    async def plan(self, request: VolumeRequest) -> FilesPlan:
        """See VolumePlugin. All sources are read, so that all problems are reported at once."""
        source = request.volume.projected or ProjectedVolumeSource()
        mode = source.default_mode if source.default_mode is not None else DEFAULT_MODE
        files: Files = {}
        problems: list[PodwrightError] = []
        is_final = bool(source.sources)
        for index, projection in enumerate(source.sources):
            try:
                found, is_fixed = await self._files(request, index, projection, mode)
            except PodwrightError as failure:
                problems.append(failure)
            else:
                files.update(found)
                is_final = is_final and is_fixed
        raise_together(problems)
        medium = memory_of(request.pod, self._allocatable_bytes())
        return files_plan(request, places.PROJECTED, files, medium, is_final=is_final)

    async def _files(
        self, request: VolumeRequest, index: int, projection: VolumeProjection, mode: int
    ) -> tuple[Files, bool]:
        """The files of one source, and whether they can never change."""
        pod, namespace = request.pod, request.pod.metadata.namespace
        if (chosen := projection.config_map) is not None:
            config_map = await self._objects.config_map(namespace, chosen.name)
            files = config_map_files(chosen.name, config_map, chosen.items, mode, optional=bool(chosen.optional))
            return files, config_map is not None and bool(config_map.immutable)
        if (picked := projection.secret) is not None:
            secret = await self._objects.secret(namespace, picked.name)
            files = secret_files(picked.name, secret, picked.items, mode, optional=bool(picked.optional))
            return files, secret is not None and bool(secret.immutable)
        if projection.downward_api is not None:
            return downward_files(pod, self._downward, projection.downward_api.items, mode), False
        return await self._cluster_files(request, index, projection, mode), False

    async def _cluster_files(
        self, request: VolumeRequest, index: int, projection: VolumeProjection, mode: int
    ) -> Files:
        """Files that only the pod's user or group may read, if it has one."""
        pod, user = request.pod, token_user(request.pod)
        mode = PRIVATE_MODE if user is not None or fs_group(pod) is not None else mode
        contents: dict[str, bytes] = {}
        if (token := projection.service_account_token) is not None:
            contents[token.path] = await self._cluster.token(pod, token)
        elif (bundle := projection.cluster_trust_bundle) is not None:
            contents[bundle.path] = await self._cluster.trust_bundle(bundle)
        elif (certificate := projection.pod_certificate) is not None:
            contents = await self._certificate(pod, request.volume.name, index, certificate)
        return {path: PayloadFile(path=path, data=data, mode=mode, user=user) for path, data in contents.items()}

    async def _certificate(
        self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection
    ) -> dict[str, bytes]:
        key, chain = await self._cluster.certificate(pod, volume, index, projection)
        contents = {
            projection.credential_bundle_path: key + chain,
            projection.key_path: key,
            projection.certificate_chain_path: chain,
        }
        return {path: data for path, data in contents.items() if path}
