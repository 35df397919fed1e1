"""Pods with volumes, and ports for them that live in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from podwright.agent.clock import Clock, SystemClock
from podwright.agent.volumes.ports import NoClusterSources, VolumePorts
from podwright.errors import InvalidArgument, Unavailable
from podwright.k8s.objects import (
    ConfigMap,
    Container,
    ObjectFieldSelector,
    ObjectMeta,
    Pod,
    PodSecurityContext,
    ResourceFieldSelector,
    Secret,
    Volume,
    VolumeMount,
)
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod

Result = TypeVar("Result")
MIB = 1 << 20
ALLOCATABLE_BYTES = 64 * MIB
NOW_NS = 1_700_000_000 * 10**9


class MemoryObjects:
    """An `ObjectGetter` over two dictionaries by name. `is_down`: nothing can be had."""

    def __init__(self, *objects: ConfigMap | Secret) -> None:
        self.config_maps: dict[str, ConfigMap] = {}
        self.secrets: dict[str, Secret] = {}
        self.is_down = False
        self.reads = 0
        for each in objects:
            self.put(each)

    def put(self, found: ConfigMap | Secret) -> None:
        """Add or replace one."""
        if isinstance(found, ConfigMap):
            self.config_maps[found.metadata.name] = found
        else:
            self.secrets[found.metadata.name] = found

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        self._read()
        return self.config_maps.get(name)

    async def secret(self, namespace: str, name: str) -> Secret | None:
        self._read()
        return self.secrets.get(name)

    def register(self, pod: Pod) -> None:
        pass

    def unregister(self, pod: Pod) -> None:
        pass

    def _read(self) -> None:
        self.reads += 1
        if self.is_down:
            raise Unavailable("the API server does not answer")


class PodFields:
    """A `DownwardApi` that knows labels, annotations and the pod's name, and no resources but limits."""

    def field_text(self, pod: Pod, reference: ObjectFieldSelector) -> str:
        metadata = pod.metadata
        if reference.field_path == "metadata.labels":
            return "\n".join(f'{key}="{value}"' for key, value in sorted(metadata.labels.items()))
        if reference.field_path == "metadata.name":
            return metadata.name
        raise InvalidArgument(f"unsupported fieldPath: {reference.field_path}")

    def resource_text(self, pod: Pod, reference: ResourceFieldSelector) -> str:
        for each in pod.spec.containers:
            if each.name == reference.container_name:
                return each.resources.limits[reference.resource.removeprefix("limits.")]
        raise InvalidArgument(f"container {reference.container_name} not found")


class InlineWork:
    """`Work` without threads. `before` is called first, with the key, and may fail; `takes_s` is how long it lasts."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.takes_s = 0.0
        self.before: Callable[[str], None] = lambda key: None

    async def run(self, key: str, function: Callable[[], Result]) -> Result:
        self.keys.append(key)
        await asyncio.sleep(self.takes_s)
        self.before(key)
        return function()

    async def settled(self, key: str) -> None:
        pass


def config_map(name: str, data: Mapping[str, str] | None = None, *, immutable: bool = False, **more: str) -> ConfigMap:
    """A ConfigMap with these keys."""
    metadata = ObjectMeta(name=name, namespace="default")
    return ConfigMap(metadata=metadata, data={**(data or {}), **more}, immutable=immutable)


def secret(name: str, *, immutable: bool = False, **data: bytes) -> Secret:
    """A Secret with these keys."""
    return Secret(metadata=ObjectMeta(name=name, namespace="default"), data=data, immutable=immutable)


def pod_with(*volumes: Volume, group: int | None = None, **fields: Any) -> Pod:
    """A pod whose container mounts each of the volumes at /<name>."""
    context = PodSecurityContext(fs_group=group) if group is not None else None
    mounts = tuple(VolumeMount(name=volume.name, mount_path=f"/{volume.name}") for volume in volumes)
    containers: tuple[Container, ...] = fields.pop("containers", (container(volume_mounts=mounts),))
    return pod(volumes=volumes, security_context=context, containers=containers, **fields)


def ports(
    objects: MemoryObjects | None = None, events: RecordedEvents | None = None, clock: Clock | None = None
) -> VolumePorts:
    """All that a volume manager needs."""
    return VolumePorts(
        objects=objects or MemoryObjects(),
        downward=PodFields(),
        events=events or RecordedEvents(),
        clock=clock or SystemClock(),
        allocatable_bytes=lambda: ALLOCATABLE_BYTES,
        cluster=NoClusterSources(),
    )
