"""Claims, PersistentVolumes and the pods that use them, with an API and a node that live in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from podwright.agent.csi.drivers import CsiDrivers, NoCluster
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.plans import attachment_name, unique_name
from podwright.errors import NotFound, Unavailable
from podwright.k8s.objects import (
    CSIDriver,
    CSIDriverSpec,
    CSIPersistentVolumeSource,
    ObjectMeta,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    PodSecurityContext,
    StorageTokenRequest,
    Volume,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
    VolumeDevice,
    VolumeMount,
)
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.volumes.build import ports

Found = TypeVar("Found")
DRIVER, NODE = "host.csi.test", "node-a"


class MemoryStorage:
    """A `ClusterStorage`. `is_down`: nothing can be had."""

    def __init__(self) -> None:
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.attachments: dict[str, VolumeAttachment] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.drivers: dict[str, CSIDriver] = {}
        self.changes: list[dict[str, Any]] = []
        self.is_down = False

    def bind(self, volume: PersistentVolume, **status: Any) -> None:
        """Have a claim of the volume's name that is bound to it."""
        name = volume.metadata.name
        self.volumes[name] = replace(
            volume,
            spec=replace(volume.spec, claim_ref=ObjectReference(namespace="default", name=name, uid=f"claim-{name}")),
        )
        self.claims[name] = PersistentVolumeClaim(
            metadata=ObjectMeta(name=name, namespace="default", uid=f"claim-{name}"),
            spec=PersistentVolumeClaimSpec(volume_name=name, access_modes=volume.spec.access_modes),
            status=PersistentVolumeClaimStatus(phase="Bound", **status),
        )

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim:
        return self._found(self.claims, name)

    async def volume(self, name: str) -> PersistentVolume:
        return self._found(self.volumes, name)

    async def attachment(self, name: str) -> VolumeAttachment:
        return self._found(self.attachments, name)

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        return dict(self._found(self.secrets, name))

    def csi_driver(self, name: str) -> CSIDriver | None:
        return self.drivers.get(name)

    async def tokens(self, pod: Pod, requests: Sequence[StorageTokenRequest]) -> dict[str, dict[str, str]]:
        return {each.audience: {"token": f"for {pod.metadata.name}"} for each in requests}

    async def change_claim_status(self, claim: PersistentVolumeClaim, status: dict[str, Any]) -> PersistentVolumeClaim:
        self.changes.append(status)
        return claim

    def _found(self, objects: Mapping[str, Found], name: str) -> Found:
        if self.is_down:
            raise Unavailable("the API server does not answer")
        if name not in objects:
            raise NotFound(f'"{name}" not found')
        return objects[name]


class MemoryNode:
    """A `NodeVolumes`. What is attached is in `attached`."""

    def __init__(self) -> None:
        self.name = NODE
        self.labels: dict[str, str] = {"rack": "r1"}
        self.changes = 0
        self.attached: set[str] = set()
        self.news = asyncio.Event()

    def use_changed(self) -> None:
        self.changes += 1

    def attach(self, volume: str) -> None:
        self.attached.add(volume)
        self.news.set()

    async def until_attached(self, volume: str) -> None:
        while volume not in self.attached:
            self.news.clear()
            await self.news.wait()


def storage_ports(
    storage: MemoryStorage, node: MemoryNode, drivers: CsiDrivers | None = None, events: RecordedEvents | None = None
) -> VolumePorts:
    """All that a volume manager needs."""
    found = drivers or CsiDrivers(NoCluster())
    return msgspec.structs.replace(ports(events=events), storage=storage, node=node, drivers=found)


def persistent(name: str = "disk", *, modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: Any) -> PersistentVolume:
    """A PersistentVolume."""
    return PersistentVolume(metadata=ObjectMeta(name=name), spec=PersistentVolumeSpec(access_modes=modes, **spec))


def csi_volume(
    name: str = "disk", *, handle: str = "", csi: dict[str, Any] | None = None, **spec: Any
) -> PersistentVolume:
    """A PersistentVolume of the tests' driver."""
    source = CSIPersistentVolumeSource(driver=DRIVER, volume_handle=handle or f"handle-{name}", **(csi or {}))
    return persistent(name, csi=source, **spec)


def csi_driver(**spec: Any) -> CSIDriver:
    """What the cluster says of the driver: no attachment, unless told."""
    return CSIDriver(metadata=ObjectMeta(name=DRIVER), spec=CSIDriverSpec(**{"attach_required": False, **spec}))


def attachment(handle: str, *, attached: bool = True, **metadata: str) -> tuple[str, VolumeAttachment]:
    """A VolumeAttachment with its name."""
    name = attachment_name(DRIVER, handle, NODE)
    return name, VolumeAttachment(
        metadata=ObjectMeta(name=name),
        spec=VolumeAttachmentSpec(attacher=DRIVER, node_name=NODE, source=VolumeAttachmentSource()),
        status=VolumeAttachmentStatus(attached=attached, attachment_metadata=metadata),
    )


def name_in_use(handle: str) -> str:
    """What the node's status calls a volume of the driver."""
    return unique_name(DRIVER, handle)


def pod_of(*claims: str, name: str = "web", group: int | None = None, block: bool = False, **source: Any) -> Pod:
    """A pod whose container has each claim at /<claim>."""
    volumes = tuple(
        Volume(name=claim, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=claim, **source))
        for claim in claims
    )
    return pod_with_volumes(*volumes, name=name, group=group, block=block)


def pod_with_volumes(*volumes: Volume, name: str = "web", group: int | None = None, block: bool = False) -> Pod:
    """A pod whose container has each volume."""
    mounts = () if block else tuple(VolumeMount(name=each.name, mount_path=f"/{each.name}") for each in volumes)
    devices = tuple(VolumeDevice(name=each.name, device_path=f"/dev/{each.name}") for each in volumes) if block else ()
    context = PodSecurityContext(fs_group=group) if group is not None else None
    return pod(
        name,
        volumes=volumes,
        containers=(container(volume_mounts=mounts, volume_devices=devices),),
        security_context=context,
    )
