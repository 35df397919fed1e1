"""The resources that managers have allotted to containers, as the pod-resources API shows them."""

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
    """What a container has by one ResourceClaim."""

    name: str
    namespace: str
    devices: Sequence[ClaimedDevice]


class DeviceShares(Protocol):
    """`devices.manager`."""

    def allotted_devices(self, uid: str, container: str) -> Mapping[str, Allotment]:
        """What a container has, by resource."""

    def allocatable(self) -> Mapping[str, Sequence[PluginDevice]]:
        """What can be allotted, by resource."""


class CpuShares(Protocol):
    """The manager of CPUs."""

    def own(self, uid: str, container: str) -> Collection[int]:
        """Those that are the container's own."""

    def allocatable(self) -> Collection[int]:
        """Those that containers can have as their own."""


class MemoryShares(Protocol):
    """The manager of memory."""

    def own_memory(self, uid: str, container: str) -> Sequence[MemoryShare]:
        """What the container is allotted."""

    def allocatable_memory(self) -> Sequence[MemoryShare]:
        """What can be allotted."""


class ClaimShares(Protocol):
    """The manager of claims."""

    def claimed(self, pod: Pod, container: Container) -> Sequence[ClaimShare]:
        """What the container has by claims."""


class NoShares:
    """For a kind of resource that nobody manages: fulfils MemoryShares and ClaimShares."""

    def own_memory(self, uid: str, container: str) -> Sequence[MemoryShare]:  # noqa: ARG002 # the protocol's
        return ()

    def allocatable_memory(self) -> Sequence[MemoryShare]:
        return ()

    def claimed(self, pod: Pod, container: Container) -> Sequence[ClaimShare]:  # noqa: ARG002 # the protocol's
        return ()


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    devices: DeviceShares
    cpus: CpuShares
    memory: MemoryShares = msgspec.field(default_factory=NoShares)
    claims: ClaimShares = msgspec.field(default_factory=NoShares)
