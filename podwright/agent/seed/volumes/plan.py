"""Which volume becomes what on this machine. Pure: the result is data that `prepare` carries out.

A plan's `read_only` is what its volume demands of every mount, whatever the mount itself asks for: a kubelet calls it
the ReadOnly attribute of a volume's plug-in and joins the two when it makes a container's mounts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from podwright.agent.seed.manifest.payload import PayloadObject
from podwright.agent.seed.manifest.volume import DownwardApiFile, HostPathType, KeyToPath, ProjectedVolume, Volume
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.downward import field_text, resource_text
from podwright.agent.seed.orchestration.resources import container_resources
from podwright.k8s.quantity import whole

EMPTY_DIR_MODE = 0o777


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadFile:
    """One file of a configMap, secret or downwardAPI volume; `path` is relative to the volume."""

    path: str
    data: bytes
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPlan:
    """emptyDir on disk. `group` is the pod's fsGroup."""

    path: str
    group: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsPlan:
    """emptyDir in memory, of `size_bytes` at most."""

    path: str
    size_bytes: int
    group: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesPlan:
    """Files that the agent writes, and containers only read. `in_memory` keeps them off the disk."""

    path: str
    files: tuple[PayloadFile, ...]
    in_memory: bool
    group: int | None = None
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPathPlan:
    """A path of the host, with what it must be or be made."""

    path: str
    type: HostPathType = ""
    read_only: bool = False


VolumePlan = DirectoryPlan | TmpfsPlan | FilesPlan | HostPathPlan


def plan_volumes(context: PodContext) -> dict[str, VolumePlan]:
    """Volume name to plan, in the manifest's order."""
    return {volume.name: _plan(context, volume) for volume in context.pod.spec.volumes}


def _plan(context: PodContext, volume: Volume) -> VolumePlan:
    group = context.pod.spec.security_context.fs_group
    if volume.host_path is not None:
        return HostPathPlan(path=volume.host_path.path, type=volume.host_path.type)
    if volume.empty_dir is not None and volume.empty_dir.medium == "Memory":
        size_bytes = _memory_size(context, volume.empty_dir.size_limit)
        return TmpfsPlan(path=_directory(context, "empty-dir", volume.name), size_bytes=size_bytes, group=group)
    payload = _payload(context, volume)
    if payload is None:
        return DirectoryPlan(path=_directory(context, "empty-dir", volume.name), group=group)
    plugin, files = payload
    by_path = {file.path: file for file in files}  # later sources overwrite equal paths
    return FilesPlan(
        path=_directory(context, plugin, volume.name),
        files=tuple(by_path.values()),
        in_memory=plugin != "configmap",
        group=group,
    )


def _payload(context: PodContext, volume: Volume) -> tuple[str, Iterator[PayloadFile]] | None:
    """(the kubelet's plugin name, the files) of the volumes that the agent writes."""
    bundle = context.bundle
    if (config_map := volume.config_map) is not None:
        chosen, mode = config_map.items, config_map.default_mode
        return "configmap", _object_files(bundle.config_maps, config_map.name, chosen, mode)
    if (secret := volume.secret) is not None:
        return "secret", _object_files(bundle.secrets, secret.secret_name, secret.items, secret.default_mode)
    if volume.downward_api is not None:
        downward = volume.downward_api
        return "downward-api", _downward_files(context, downward.items, downward.default_mode)
    if volume.projected is not None:
        return "projected", _projected_files(context, volume.projected)
    return None


def _directory(context: PodContext, plugin: str, name: str) -> str:
    """The kubelet's layout, so that its readers find their way."""
    return os.path.join(context.directory, "volumes", f"kubernetes.io~{plugin}", name)


def _memory_size(context: PodContext, size_limit: str | float | None) -> int:
    """The least of sizeLimit, the sum of the memory limits (when all have one) and the machine's memory."""
    memory_bytes = context.host.memory_bytes
    containers = [container for _, container in context.pod.all_containers()]
    limits = [container_resources(context.pod, item, memory_bytes).memory_limit_in_bytes for item in containers]
    sizes = [memory_bytes]
    if all(limits):
        sizes.append(sum(limits))
    if size_limit is not None and whole(size_limit):
        sizes.append(whole(size_limit))
    return min(sizes)


def _object_files(
    objects: Mapping[str, PayloadObject], name: str, items: Sequence[KeyToPath], default_mode: int
) -> Iterator[PayloadFile]:
    """All keys, or the chosen ones. References have been validated, so what is missing is optional."""
    payload = objects[name].payload if name in objects else {}
    chosen = items or [KeyToPath(key=key, path=key) for key in payload]
    for item in chosen:
        if item.key in payload:
            mode = item.mode if item.mode is not None else default_mode
            yield PayloadFile(path=item.path, data=payload[item.key], mode=mode)


def _downward_files(context: PodContext, items: Sequence[DownwardApiFile], default_mode: int) -> Iterator[PayloadFile]:
    for item in items:
        text = ""
        if item.field_ref is not None:
            text = field_text(context, item.field_ref)
        elif item.resource_field_ref is not None:
            text = resource_text(context, item.resource_field_ref, context.pod.spec.containers[0])
        mode = item.mode if item.mode is not None else default_mode
        yield PayloadFile(path=item.path, data=text.encode(), mode=mode)


def _projected_files(context: PodContext, projected: ProjectedVolume) -> Iterator[PayloadFile]:
    mode = projected.default_mode
    for source in projected.sources:
        if source.config_map is not None:
            chosen = source.config_map
            yield from _object_files(context.bundle.config_maps, chosen.name, chosen.items, mode)
        if source.secret is not None:
            yield from _object_files(context.bundle.secrets, source.secret.name, source.secret.items, mode)
        if source.downward_api is not None:
            yield from _downward_files(context, source.downward_api.items, mode)
