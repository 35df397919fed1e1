"""The NUMA nodes that can serve a request for devices. Pure.

The hints are those of the kubelet (pkg/kubelet/cm/devicemanager/topology_hints.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.topology.hints import TopologyHint
from podwright.agent.resources.topology.masks import all_masks, count, mask_of


def device_hints(
    devices: Mapping[str, PluginDevice], free: Set[str], reusable: Set[str], wanted: int, machine_nodes: Sequence[int]
) -> list[TopologyHint] | None:
    """The sets of nodes with enough free devices. None if no device has a node.

    Every set has all reusable devices. Preferred are the smallest sets that could serve the request on an empty node.
    """
    if not any(device.nodes for device in devices.values()):
        return None
    if len(free | reusable) < wanted:
        return []
    places = {
        device.id: mask_of(node for node in device.nodes if node in machine_nodes) for device in devices.values()
    }
    used = sorted({node for device in devices.values() for node in device.nodes if node in machine_nodes})
    nodes = used or list(machine_nodes)
    bound = [places[device] for device in reusable if device in places and devices[device].nodes]
    open_places = [places[device] for device in free if device in places]
    smallest = len(nodes)
    found = []
    for mask in all_masks(nodes):
        if sum(1 for place in places.values() if place & mask) >= wanted:
            smallest = min(smallest, count(mask))
        if any(not place & mask for place in bound):
            continue
        if len(bound) + sum(1 for place in open_places if place & mask) >= wanted:
            found.append(mask)
    return [TopologyHint(nodes=mask, preferred=count(mask) == smallest) for mask in found]
