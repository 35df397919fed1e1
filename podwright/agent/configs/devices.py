"""What the managers of devices, CPUs, memory and claims add to a container, as a value. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.pods.containers import AnyContainer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound


class AllottedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device node. `permissions` has letters of r, w and m."""

    host_path: str
    container_path: str
    permissions: str


class HostMount(msgspec.Struct, frozen=True, kw_only=True):
    """A mount that a device needs."""

    host_path: str
    container_path: str
    read_only: bool


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """The allotments of one container.

    `cpus` and `memory_nodes` are lists such as `0-3,8`, empty for all. `block_volumes` has the host's paths of block
    volumes by name. Those in `read_only_volumes` must not be written to.
    """

    devices: tuple[AllottedDevice, ...] = ()
    block_volumes: Mapping[str, str] = msgspec.field(default_factory=dict)
    read_only_volumes: frozenset[str] = frozenset()
    cdi_devices: tuple[str, ...] = ()
    mounts: tuple[HostMount, ...] = ()
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    cpus: str = ""
    memory_nodes: str = ""
    has_own_cpus: bool = False


NOTHING = Allocation()


def with_block_volumes(allocation: Allocation, volumes: Mapping[str, VolumeContent]) -> Allocation:
    """The allocation with the pod's block volumes."""
    blocks = {name: volume for name, volume in volumes.items() if volume.is_block}
    if not blocks:
        return allocation
    return replace(
        allocation,
        block_volumes={name: volume.path for name, volume in blocks.items()},
        read_only_volumes=frozenset(name for name, volume in blocks.items() if volume.read_only),
    )


def combined(parts: Iterable[Allocation]) -> Allocation:
    """The allocations of several managers as one. A later one's variables and annotations replace earlier ones."""
    found = list(parts)
    return Allocation(
        devices=tuple(device for part in found for device in part.devices),
        block_volumes={name: path for part in found for name, path in part.block_volumes.items()},
        read_only_volumes=frozenset(name for part in found for name in part.read_only_volumes),
        cdi_devices=tuple(dict.fromkeys(name for part in found for name in part.cdi_devices)),
        mounts=tuple(mount for part in found for mount in part.mounts),
        environment={name: value for part in found for name, value in part.environment.items()},
        annotations={name: value for part in found for name, value in part.annotations.items()},
        cpus=next((part.cpus for part in found if part.cpus), ""),
        memory_nodes=next((part.memory_nodes for part in found if part.memory_nodes), ""),
        has_own_cpus=any(part.has_own_cpus for part in found),
    )


def container_devices(container: AnyContainer, allocation: Allocation) -> list[api.Device]:
    """The device nodes: allotted ones, then the container's block volumes. Raises InvalidArgument and NotFound."""
    devices = [
        api.Device(host_path=device.host_path, container_path=device.container_path, permissions=device.permissions)
        for device in allocation.devices
    ]
    for wanted in container.volume_devices:
        if not wanted.device_path.startswith("/"):
            raise InvalidArgument(f"error DevicePath `{wanted.device_path}` must be an absolute path")
        host_path = allocation.block_volumes.get(wanted.name)
        if host_path is None:
            raise NotFound(f'cannot find volume "{wanted.name}" to pass into container "{container.name}"')
        permissions = "r" if wanted.name in allocation.read_only_volumes else "mrw"
        device = api.Device(host_path=host_path, container_path=wanted.device_path, permissions=permissions)
        devices.append(device)
    return devices


def cdi_devices(allocation: Allocation) -> list[api.CDIDevice]:
    """Devices by their CDI names, which the runtime resolves."""
    return [api.CDIDevice(name=name) for name in allocation.cdi_devices]
