"""The resources of containers for the pod-resources API, and the interfaces of the managers that allot them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from podwright.agent.resources.devices.allotments import Allotment
from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.k8s.objects import Container, Pod


class MemoryShare(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one kind, such as `memory` or `hugepages-2Mi`, on some NUMA nodes."""

    kind: str
    size_bytes: int
    nodes: Sequence[int]


class ClaimedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a claim."""

    driver: str
    pool: str
    device: str
    cdi_names: Sequence[str]
    share: str | None = None


class ClaimShare(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of a container from one ResourceClaim."""

    name: str
    namespace: str
    devices: Sequence[ClaimedDevice]


class DeviceShares(Protocol):
    """`devices.manager`."""

    def allotted_devices(self, uid: str, container: str) -> Mapping[str, Allotment]:
        """The allotments of a container, by resource."""

    def allocatable(self) -> Mapping[str, Sequence[PluginDevice]]:
        """The devices that can be allotted, by resource."""


class CpuShares(Protocol):
    """The CPU manager: `cpus.manager`."""

    def own(self, uid: str, container: str) -> Collection[int]:
        """The exclusive CPUs of the container."""

    def allocatable(self) -> Collection[int]:
        """The CPUs that can be allotted exclusively."""


class MemoryShares(Protocol):
    """The memory manager: `memory.manager`."""

    def own_memory(self, uid: str, container: str) -> Sequence[MemoryShare]:
        """The memory that is allotted to the container."""

    def allocatable_memory(self) -> Sequence[MemoryShare]:
        """The memory that can be allotted."""


class ClaimShares(Protocol):
    """The claim manager: `claims.manager`."""

    def claimed(self, pod: Pod, container: Container) -> Sequence[ClaimShare]:
        """The container's claimed devices."""


class NoShares:
    """Implements MemoryShares and ClaimShares for a node without these managers."""

    def own_memory(self, uid: str, container: str) -> Sequence[MemoryShare]:  # noqa: ARG002 # the protocol's
        return ()

    def allocatable_memory(self) -> Sequence[MemoryShare]:
        return ()

    def claimed(self, pod: Pod, container: Container) -> Sequence[ClaimShare]:  # noqa: ARG002 # the protocol's
        return ()


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of all managers."""

    devices: DeviceShares
    cpus: CpuShares
    memory: MemoryShares = msgspec.field(default_factory=NoShares)
    claims: ClaimShares = msgspec.field(default_factory=NoShares)
