"""The parts of the Node and the CSINode about drivers. Pure.

The rules are the kubelet's (pkg/volume/csi/nodeinfomanager of Kubernetes 1.36).
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from podwright.agent.csi.values import NodeInfo
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.objects import (
    CSINode,
    CSINodeDriver,
    CSINodeSpec,
    Node,
    ObjectMeta,
    OwnerReference,
    VolumeNodeResources,
)

NODE_ID = "csi.volume.kubernetes.io/nodeid"  # an annotation of the Node: JSON with each driver's name for the node
COUNT_MAX = 2**31 - 1


def new_csi_node(node: Node) -> CSINode:
    """The CSINode of a node without drivers."""
    owner = OwnerReference(api_version="v1", kind="Node", name=node.metadata.name, uid=node.metadata.uid)
    return CSINode(
        metadata=ObjectMeta(name=node.metadata.name, owner_references=(owner,)), spec=CSINodeSpec(drivers=())
    )


def is_owned(csi_node: CSINode, node: Node) -> bool:
    """Whether the CSINode belongs to this node, and not to an earlier one with its name."""
    owners = csi_node.metadata.owner_references
    return any(each.kind == "Node" and each.uid == node.metadata.uid for each in owners)


def with_driver(csi_node: CSINode, name: str, info: NodeInfo) -> CSINode:
    """The CSINode with the driver. The same object if it already has it."""
    count = min(info.max_volumes, COUNT_MAX)
    driver = CSINodeDriver(
        name=name,
        node_id=info.node_id,
        topology_keys=tuple(sorted(info.topology)),
        allocatable=VolumeNodeResources(count=count) if count > 0 else None,
    )
    others = without_driver(csi_node, name)
    return replace(csi_node, spec=CSINodeSpec(drivers=(*others.spec.drivers, driver)))


def without_driver(csi_node: CSINode, name: str) -> CSINode:
    """The CSINode without the driver."""
    kept = tuple(each for each in csi_node.spec.drivers if each.name != name)
    return replace(csi_node, spec=CSINodeSpec(drivers=kept))


def is_same(one: CSINode, other: CSINode) -> bool:
    """Whether both name the same drivers, in any order."""
    return _by_name(one) == _by_name(other)


def _by_name(csi_node: CSINode) -> dict[str, CSINodeDriver]:
    return {
        each.name: replace(each, topology_keys=tuple(sorted(each.topology_keys))) for each in csi_node.spec.drivers
    }


def node_patch(node: Node, name: str, info: NodeInfo | None) -> dict[str, Any]:
    """The patch of the Node for a driver that has registered, or is gone (None). Empty if nothing changes.

    Raises FailedPrecondition for a label to which another driver or a person has given another value, InvalidArgument
    for a driver without a name for the node.
    """
    if info is not None and not info.node_id:
        raise InvalidArgument("error adding CSI driver node info: driverNodeID must not be empty")
    metadata: dict[str, Any] = {}
    ids = _node_ids(node)
    wanted = {key: value for key, value in ids.items() if key != name}
    if info is not None:
        wanted[name] = info.node_id
    if wanted != ids:
        metadata["annotations"] = {
            NODE_ID: json.dumps(wanted, separators=(",", ":"), sort_keys=True) if wanted else None
        }
    labels = _new_labels(node, info)
    if labels:
        metadata["labels"] = labels
    return {"metadata": metadata} if metadata else {}


def _node_ids(node: Node) -> dict[str, str]:
    text = node.metadata.annotations.get(NODE_ID, "")
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = {}  # it is invalid, and written again
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _new_labels(node: Node, info: NodeInfo | None) -> dict[str, str]:
    new = {}
    for key, value in (info.topology if info is not None else {}).items():
        current = node.metadata.labels.get(key)
        if current is not None and current != value:
            raise FailedPrecondition(
                f'detected topology value collision: driver reported "{key}":"{value}" '
                f'but existing label is "{key}":"{current}"'
            )
        if current is None:
            new[key] = value
    return new
