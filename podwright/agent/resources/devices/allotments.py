"""Which container has which devices. Without I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

NO_NODE = -1  # the key of devices that belong to no NUMA node


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of one resource for one container: ids by NUMA node, and the plug-in's answer to Allocate.

    A device of several nodes is listed at each. `answer` is an encoded ContainerAllocateResponse.
    """

    devices: Mapping[int, tuple[str, ...]]
    answer: bytes

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the devices."""
        return frozenset(device for devices in self.devices.values() for device in devices)

    def nodes_of(self, device_id: str) -> tuple[int, ...]:
        """The NUMA nodes of a device."""
        return tuple(sorted(node for node, ids in self.devices.items() if node != NO_NODE and device_id in ids))


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An allotment with its holder."""

    uid: str
    container: str
    resource: str
    allotment: Allotment


class Allotments:
    """All allotments."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, dict[str, Allotment]]] = {}

    def put(self, uid: str, container: str, resource: str, allotment: Allotment) -> None:
        """Record an allotment."""
        self._pods.setdefault(uid, {}).setdefault(container, {})[resource] = allotment

    def of(self, uid: str, container: str) -> Mapping[str, Allotment]:
        """The allotments of a container, by resource."""
        return self._pods.get(uid, {}).get(container, {})

    def release(self, uid: str) -> bool:
        """Release the devices of a pod. Returns whether it had any."""
        return self._pods.pop(uid, None) is not None

    def retain(self, uids: Collection[str]) -> bool:
        """Release the devices of all pods except these. Returns whether they had any."""
        gone = self._pods.keys() - set(uids)
        for uid in gone:
            del self._pods[uid]
        return bool(gone)

    def holders(self) -> Collection[str]:
        """The UIDs of pods that have devices."""
        return self._pods.keys()

    def taken(self, resource: str) -> frozenset[str]:
        """The allotted devices of a resource."""
        return frozenset(
            device for each in self.holdings() if each.resource == resource for device in each.allotment.ids
        )

    def has_taken(self, resource: str) -> bool:
        """Whether any container has devices of the resource."""
        return any(each.resource == resource for each in self.holdings())

    def pods_with(self, resource: str, devices: Collection[str]) -> frozenset[str]:
        """The UIDs of pods that have any of these devices."""
        wanted = frozenset(devices)
        return frozenset(
            each.uid for each in self.holdings() if each.resource == resource and each.allotment.ids & wanted
        )

    def holdings(self) -> Iterator[Holding]:
        """All allotments, sorted by UID, container and resource."""
        for uid, containers in sorted(self._pods.items()):
            for container, resources in sorted(containers.items()):
                for resource, allotment in sorted(resources.items()):
                    yield Holding(uid=uid, container=container, resource=resource, allotment=allotment)
