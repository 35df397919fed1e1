"""The Node object: as it is registered, and its status. Pure.

The fields are the kubelet's (pkg/kubelet/nodestatus/setters.go and kubelet_node_status.go of Kubernetes 1.36), which
schedulers, controllers and `kubectl` read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from podwright import __version__
from podwright.agent.node.conditions import Pressure, conditions
from podwright.agent.node.machine import Machine
from podwright.agent.runtime.records import ImageStatus, RuntimeState, RuntimeVersion
from podwright.k8s.objects import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSwapStatus,
    NodeSystemInfo,
    ObjectMeta,
    Taint,
)

# API servers compare this with their own version to know what a node can do: the Kubernetes release whose rules the
# agent follows, and after the plus sign (build metadata in semver) the agent's own version.
KUBELET_VERSION = f"v1.36.0+podwright.{__version__}"
OS = "linux"
HOSTNAME_LABEL = "kubernetes.io/hostname"
ATTACH_DETACH = "volumes.kubernetes.io/controller-managed-attach-detach"
NAMES_PER_IMAGE = 5
# The features that an API server allows only on nodes that declare them (KEP 5328). Sorted.
DECLARED = (
    "ExtendWebSocketsToKubelet",
    "InPlacePodLevelResourcesVerticalScaling",
    "InPlacePodVerticalScalingInitContainers",
    "RestartAllContainersOnContainerExits",
    "UserNamespacesHostNetworkSupport",
)
NEED_THE_RUNTIME = {"UserNamespacesHostNetworkSupport": "user_namespaces_host_network"}  # to a field of RuntimeState
INTERNAL_IP, HOSTNAME = "InternalIP", "Hostname"


class NodeFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What a node's status is made of. `problems` has the reasons why it is not ready."""

    machine: Machine
    addresses: Sequence[str]  # at most one of each family, the primary one first
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    runtime_version: RuntimeVersion
    runtime: RuntimeState
    port: int  # of the agent's HTTP API
    images: Sequence[ImageStatus] = ()
    max_images: int = 50  # below 0: all of them
    volumes_in_use: Sequence[str] = ()
    problems: Sequence[str] = ()
    pressures: frozenset[Pressure] = frozenset()
    has_handler_features: bool = True
    declared_features: Sequence[str] = ()  # see `declared_features`
    more_addresses: Sequence[NodeAddress] = msgspec.field(default=())  # a cloud provider's


def declared_features(gates: Mapping[str, bool], runtime: RuntimeState) -> tuple[str, ...]:
    """The features that a node with these gates on this runtime declares."""
    if not gates["NodeDeclaredFeatures"]:
        return ()
    return tuple(
        name
        for name in DECLARED
        if gates[name] and (name not in NEED_THE_RUNTIME or getattr(runtime, NEED_THE_RUNTIME[name]))
    )


def new_node(
    name: str, findings: NodeFindings, labels: Mapping[str, str], taints: Iterable[Taint], provider_id: str
) -> Node:
    """The node to register, without a status."""
    return Node(
        metadata=ObjectMeta(
            name=name,
            labels={**default_labels(name, findings.machine), **labels},
            annotations={ATTACH_DETACH: "true"},
        ),
        spec=NodeSpec(taints=tuple(taints), provider_id=provider_id),
    )


def default_labels(name: str, machine: Machine) -> dict[str, str]:
    """The labels that every node has.

    The hostname label is the node's name, also where that overrides the hostname.
    """
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": OS,
        HOSTNAME_LABEL: name,
        **platform_labels(machine),
    }


def platform_labels(machine: Machine) -> dict[str, str]:
    """The labels that are kept true while the agent runs: pods are placed by them."""
    return {"kubernetes.io/arch": machine.architecture, "kubernetes.io/os": OS}


def with_labels(node: Node, wanted: Node) -> Node:
    """An existing node with this agent's labels and annotations. Those of others stay."""
    metadata = replace(
        node.metadata,
        labels={**node.metadata.labels, **wanted.metadata.labels},
        annotations={**node.metadata.annotations, **wanted.metadata.annotations},
    )
    return replace(node, metadata=metadata)


def with_platform(node: Node, machine: Machine) -> Node:
    """A node with the labels of its platform, which somebody may have changed."""
    labels = {**node.metadata.labels, **platform_labels(machine)}
    return replace(node, metadata=replace(node.metadata, labels=labels))


def node_status(before: NodeStatus, findings: NodeFindings, name: str, now: datetime) -> NodeStatus:
    """The new status. What others write into it, such as attached volumes and extended resources, stays."""
    return replace(
        before,
        addresses=_addresses(findings, name),
        capacity={**_foreign(before.capacity, findings.capacity), **findings.capacity},
        allocatable={**_foreign(before.allocatable, findings.allocatable), **findings.allocatable},
        conditions=conditions(before.conditions, findings.problems, findings.pressures, now),
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=findings.port)),
        node_info=_system_info(findings),
        images=_images(findings.images, findings.max_images),
        runtime_handlers=_handlers(findings.runtime) if findings.has_handler_features else (),
        declared_features=tuple(findings.declared_features),
        features=NodeFeatures(supplemental_groups_policy=findings.runtime.supplemental_groups_policy),
        volumes_in_use=tuple(findings.volumes_in_use),
    )


def differs(before: NodeStatus, now: NodeStatus) -> bool:
    """Whether the statuses differ in more than the heartbeats."""
    return _without_heartbeats(before) != _without_heartbeats(now)


def _without_heartbeats(status: NodeStatus) -> NodeStatus:
    """The status without heartbeats, and with sorted addresses: an API server returns them in another order."""
    still = tuple(replace(condition, last_heartbeat_time=None) for condition in status.conditions)
    addresses = tuple(sorted(status.addresses, key=lambda each: (each.type, each.address)))
    return replace(status, conditions=still, addresses=addresses)


def _foreign(before: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Extended resources that others have patched into the node. Huge pages are the agent's own."""
    return {name: text for name, text in before.items() if name not in own and "/" in name}


def _addresses(findings: NodeFindings, name: str) -> tuple[NodeAddress, ...]:
    own = [NodeAddress(type=INTERNAL_IP, address=address) for address in findings.addresses]
    return (*own, *findings.more_addresses, NodeAddress(type=HOSTNAME, address=name))


def _system_info(findings: NodeFindings) -> NodeSystemInfo:
    machine, version = findings.machine, findings.runtime_version
    return NodeSystemInfo(
        architecture=machine.architecture,
        boot_id=machine.boot_id,
        container_runtime_version=f"{version.name}://{version.version}",
        kernel_version=machine.kernel_version,
        kube_proxy_version="",
        kubelet_version=KUBELET_VERSION,
        machine_id=machine.machine_id,
        operating_system=OS,
        os_image=machine.os_image,
        system_uuid=machine.system_uuid,
        swap=NodeSwapStatus(capacity=machine.swap_bytes) if machine.swap_bytes else None,
    )


def _images(images: Sequence[ImageStatus], max_images: int) -> tuple[ContainerImage, ...]:
    """The largest images, each with a few of its names: digests first, then tags."""
    largest = sorted(images, key=lambda image: -image.size_bytes)
    if max_images >= 0:
        largest = largest[:max_images]
    return tuple(
        ContainerImage(names=(*image.digests, *image.tags)[:NAMES_PER_IMAGE], size_bytes=image.size_bytes)
        for image in largest
    )


def _handlers(state: RuntimeState) -> tuple[NodeRuntimeHandler, ...]:
    return tuple(
        NodeRuntimeHandler(
            name=handler.name,
            features=NodeRuntimeHandlerFeatures(
                recursive_read_only_mounts=handler.recursive_read_only_mounts,
                user_namespaces=handler.user_namespaces,
            ),
        )
        for handler in state.handlers
    )
