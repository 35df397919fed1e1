"""The devices that plug-ins have listed, and their numbers for the Node object. Without I/O.

A resource is known until its plug-in has been gone for GONE_AFTER_S. While the plug-in is gone, its devices count as
unhealthy: the node has them, but no pod gets them (pkg/kubelet/cm/devicemanager of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import msgspec

GONE_AFTER_S = 300.0


class PluginDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device as its plug-in describes it. `nodes` has its NUMA nodes, if they matter."""

    id: str
    is_healthy: bool = True
    nodes: tuple[int, ...] = ()


class _DeviceResource(msgspec.Struct, kw_only=True):
    devices: dict[str, PluginDevice] = msgspec.field(default_factory=dict)
    has_listed: bool = False  # whether its plug-in, or an earlier one, has listed devices
    is_current: bool = False  # whether the list is from the plug-in that is connected now
    stopped_at: float | None = None  # when the plug-in went; None while it is connected


class DeviceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of devices for the node's status, by resource."""

    capacity: Mapping[str, int]
    allocatable: Mapping[str, int]


class Inventory:
    """The devices of all plug-ins. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._resources: dict[str, _DeviceResource] = {}
        self._gone: set[str] = set()

    # -- from plug-ins

    def expect(self, resource: str, now: float) -> None:
        """Note that an earlier agent had a plug-in for the resource, which should register again."""
        self._resources.setdefault(resource, _DeviceResource(has_listed=True, stopped_at=now))

    def connect(self, resource: str) -> None:
        """Note that a plug-in has registered."""
        self._resources.setdefault(resource, _DeviceResource()).stopped_at = None

    def update(self, resource: str, devices: Iterable[PluginDevice]) -> frozenset[str]:
        """Take a plug-in's list of devices. Returns the ids of those that are new, or whose health has changed."""
        known = self._resources.setdefault(resource, _DeviceResource())
        before, known.devices = known.devices, {device.id: device for device in devices}
        known.has_listed = known.is_current = True
        self._gone.discard(resource)
        return frozenset(
            device.id
            for device in known.devices.values()
            if (old := before.get(device.id)) is None or old.is_healthy != device.is_healthy
        )

    def disconnect(self, resource: str, now: float) -> None:
        """Note that the plug-in is gone."""
        if (known := self._resources.get(resource)) is not None:
            known.stopped_at, known.is_current = now, False

    # -- for other rooms

    def is_known(self, resource: str) -> bool:
        """Whether the resource belongs to a device plug-in."""
        known = self._resources.get(resource)
        return known is not None and known.has_listed

    def device(self, resource: str, device_id: str) -> PluginDevice | None:
        """A device, or None if it is unknown."""
        known = self._resources.get(resource)
        return None if known is None else known.devices.get(device_id)

    def devices(self, resource: str) -> Mapping[str, PluginDevice]:
        """All devices of the resource, by id."""
        known = self._resources.get(resource)
        return {} if known is None else known.devices

    def healthy(self, resource: str) -> Set[str]:
        """The ids of the devices that pods can get."""
        known = self._resources.get(resource)
        if known is None or not known.is_current:
            return frozenset()
        return frozenset(device.id for device in known.devices.values() if device.is_healthy)

    def registered(self) -> dict[str, list[str]]:
        """The known resources, each with the ids of its healthy devices."""
        return {name: sorted(self.healthy(name)) for name, known in self._resources.items() if known.has_listed}

    def counts(self, now: float) -> DeviceCounts:
        """The node's numbers. A resource whose plug-in is gone for good is shown with zeros."""
        self._forget_gone(now)
        capacity, allocatable = dict.fromkeys(self._gone, 0), dict.fromkeys(self._gone, 0)
        for name, known in self._resources.items():
            if known.has_listed or known.stopped_at is not None:
                capacity[name] = len(known.devices)
                allocatable[name] = len(self.healthy(name))
        return DeviceCounts(capacity=capacity, allocatable=allocatable)

    def _forget_gone(self, now: float) -> None:
        for name, known in list(self._resources.items()):
            if known.stopped_at is not None and now - known.stopped_at > GONE_AFTER_S:
                del self._resources[name]
                self._gone.add(name)
