"""Chooses the devices of a container.

First those of ended init containers of its pod, then free ones on the NUMA nodes that the topology manager has chosen,
then others. If there is a choice, the plug-in may have a preference (devicesToAllocate of pkg/kubelet/cm/devicemanager
in Kubernetes 1.36), else the ids decide, so that the choice is predictable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Set

import msgspec

from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.topology.masks import NodeMask, mask_of
from podwright.errors import FailedPrecondition

# Calls the plug-in with the devices to choose from, those already chosen, and the wanted number in total.
Prefer = Callable[[Collection[str], Collection[str], int], Awaitable[Collection[str]]]


class WantedDevices(msgspec.Struct, frozen=True, kw_only=True):
    """The devices that a container wants of a resource, and those to choose from."""

    resource: str
    count: int
    devices: Mapping[str, PluginDevice]  # all of the resource
    free: Set[str]  # healthy devices that no container has
    reusable: Set[str] = frozenset()  # devices of ended init containers of the pod
    nodes: NodeMask | None = None  # the topology manager's choice; None for any


class DevicesByAffinity(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by NUMA node: on the chosen nodes, on others, and on none."""

    aligned: frozenset[str]
    unaligned: frozenset[str]
    without_node: frozenset[str]


async def choose(wanted: WantedDevices, prefer: Prefer) -> frozenset[str]:
    """Choose the devices.

    Returns their ids. Raises FailedPrecondition if there are too few, and what `prefer` raises.
    """
    chosen = set(sorted(wanted.reusable)[: wanted.count])
    missing = wanted.count - len(chosen)
    if not missing:
        return frozenset(chosen)
    free = wanted.free - wanted.reusable
    if len(free) < missing:
        raise FailedPrecondition(
            f"requested number of devices unavailable for {wanted.resource}. "
            f"Requested: {missing}, Available: {len(free)}"
        )
    sides = by_affinity(wanted.devices, free, wanted.nodes)
    candidates: frozenset[str] | Set[str] = sides.aligned
    if missing >= len(sides.aligned):
        # Take all of them, to keep the promised alignment. The plug-in chooses among the rest.
        chosen |= sides.aligned
        candidates = free - chosen
    if len(chosen) < wanted.count:
        preferred = set(await prefer(sorted(candidates | chosen), sorted(chosen), wanted.count)) & candidates
        order = (preferred, sides.aligned, sides.unaligned, sides.without_node)
        chosen |= _first(order, wanted.count - len(chosen), frozenset(chosen))
    return frozenset(chosen)


def by_affinity(devices: Mapping[str, PluginDevice], free: Iterable[str], nodes: NodeMask | None) -> DevicesByAffinity:
    """Sort free devices by NUMA node. If no nodes are chosen, or no device has a node, all count as without a node."""
    found = frozenset(free)
    if nodes is None or not any(device.nodes for device in devices.values()):
        return DevicesByAffinity(aligned=frozenset(), unaligned=frozenset(), without_node=found)
    without_node = frozenset(device for device in found if not devices[device].nodes)
    aligned = frozenset(device for device in found - without_node if mask_of(devices[device].nodes) & nodes)
    return DevicesByAffinity(aligned=aligned, unaligned=found - aligned - without_node, without_node=without_node)


def _first(groups: Iterable[Collection[str]], count: int, but: Set[str]) -> set[str]:
    """The first `count` ids of the groups in their order, each sorted."""
    chosen: dict[str, None] = {}
    for group in groups:
        chosen.update(dict.fromkeys(sorted(set(group) - but)))
    return set(list(chosen)[:count])
