"""Which devices a container gets.

First those of ended init containers of its pod, then free ones on the NUMA nodes that the topology manager has chosen,
then others. Where there is a choice, the plug-in is asked for its preference (devicesToAllocate of
pkg/kubelet/cm/devicemanager in Kubernetes 1.36). Otherwise the ids decide, so that the choice is predictable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Set

import msgspec

from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.topology.masks import NodeMask, mask_of
from podwright.errors import FailedPrecondition

# Asks the plug-in: the devices to choose from, those of them that are chosen already, how many there shall be in all.
Prefer = Callable[[Collection[str], Collection[str], int], Awaitable[Collection[str]]]


class WantedDevices(msgspec.Struct, frozen=True, kw_only=True):
    """What a container wants of a resource, and what there is."""

    resource: str
    count: int
    devices: Mapping[str, PluginDevice]  # all of the resource
    free: Set[str]  # healthy ones that no container has
    reusable: Set[str] = frozenset()  # what init containers of the pod have left
    nodes: NodeMask | None = None  # the topology manager's choice; None for any


class DevicesByAffinity(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by their place: on the chosen nodes, on others, and those that are near to none."""

    aligned: frozenset[str]
    unaligned: frozenset[str]
    without_node: frozenset[str]


async def choose(wanted: WantedDevices, prefer: Prefer) -> frozenset[str]:
    """The ids. Raises FailedPrecondition when there are too few, and what `prefer` raises."""
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
        # Take all of them, so that the promised alignment holds. The plug-in chooses among the rest.
        chosen |= sides.aligned
        candidates = free - chosen
    if len(chosen) < wanted.count:
        preferred = set(await prefer(sorted(candidates | chosen), sorted(chosen), wanted.count)) & candidates
        order = (preferred, sides.aligned, sides.unaligned, sides.without_node)
        chosen |= _first(order, wanted.count - len(chosen), frozenset(chosen))
    return frozenset(chosen)


def by_affinity(devices: Mapping[str, PluginDevice], free: Iterable[str], nodes: NodeMask | None) -> DevicesByAffinity:
    """Sort free devices by their place. Without a choice of nodes, or devices with nodes, all are without a node."""
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
