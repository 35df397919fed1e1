"""Makes the messages of the pod-resources API from pods and their shares. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from podwright.agent.pods.containers import lasting_containers
from podwright.agent.resources.devices.allotments import Allotment
from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.pod_resources.shares import ClaimShare, MemoryShare, Shares
from podwright.k8s.objects import Container, Pod
from podwright.kubelet_grpc import pod_resources_alpha_pb2 as alpha
from podwright.kubelet_grpc import pod_resources_pb2 as v1


def pod_message(pod: Pod, shares: Shares) -> v1.PodResources:
    """The resources of a pod's sidecars and regular containers."""
    return v1.PodResources(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        containers=[_container(pod, container, shares) for container in lasting_containers(pod)],
    )


def allocatable_message(shares: Shares) -> v1.AllocatableResourcesResponse:
    """The resources that can be allotted."""
    return v1.AllocatableResourcesResponse(
        devices=_allocatable(shares.devices.allocatable()),
        cpu_ids=sorted(shares.cpus.allocatable()),
        memory=map(_memory, shares.memory.allocatable_memory()),
    )


def alpha_message(pod: Pod, shares: Shares) -> alpha.PodResources:
    """The devices of a pod's regular containers."""
    return alpha.PodResources(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        containers=[
            alpha.ContainerResources(
                name=container.name,
                devices=[
                    alpha.ContainerDevices(resource_name=each.resource_name, device_ids=each.device_ids)
                    for each in _allotted(shares.devices.allotted_devices(pod.metadata.uid, container.name))
                ],
            )
            for container in pod.spec.containers
        ],
    )


def _container(pod: Pod, container: Container, shares: Shares) -> v1.ContainerResources:
    uid = pod.metadata.uid
    return v1.ContainerResources(
        name=container.name,
        devices=_allotted(shares.devices.allotted_devices(uid, container.name)),
        cpu_ids=sorted(shares.cpus.own(uid, container.name)),
        memory=map(_memory, shares.memory.own_memory(uid, container.name)),
        dynamic_resources=map(_claim, shares.claims.claimed(pod, container)),
    )


def _allotted(allotments: Mapping[str, Allotment]) -> Iterator[v1.ContainerDevices]:
    for resource, allotment in sorted(allotments.items()):
        for device in sorted(allotment.ids):
            yield from _devices(resource, device, allotment.nodes_of(device))


def _allocatable(devices: Mapping[str, Iterable[PluginDevice]]) -> Iterator[v1.ContainerDevices]:
    for resource, found in sorted(devices.items()):
        for device in found:
            yield from _devices(resource, device.id, device.nodes)


def _devices(resource: str, device: str, nodes: Sequence[int]) -> Iterator[v1.ContainerDevices]:
    """A message for each NUMA node of the device, or one without a node."""
    if not nodes:
        yield v1.ContainerDevices(resource_name=resource, device_ids=[device])
    for node in nodes:
        yield v1.ContainerDevices(resource_name=resource, device_ids=[device], topology=_topology([node]))


def _memory(share: MemoryShare) -> v1.ContainerMemory:
    return v1.ContainerMemory(memory_type=share.kind, size=share.size_bytes, topology=_topology(share.nodes))


def _topology(nodes: Iterable[int]) -> v1.TopologyInfo:
    return v1.TopologyInfo(nodes=[v1.NUMANode(ID=node) for node in nodes])


def _claim(share: ClaimShare) -> v1.DynamicResource:
    return v1.DynamicResource(
        claim_name=share.name,
        claim_namespace=share.namespace,
        claim_resources=[
            v1.ClaimResource(
                cdi_devices=[v1.CDIDevice(name=name) for name in each.cdi_names],
                driver_name=each.driver,
                pool_name=each.pool,
                device_name=each.device,
                share_id=each.share,
            )
            for each in share.devices
        ],
    )
