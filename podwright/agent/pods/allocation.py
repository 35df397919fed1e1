"""The CPU and memory that a pod was allocated, as opposed to what its spec wants now. Pure.

A pod's resources have three values: wanted (in the spec), allocated (admitted by this node, used by its workers), and
actuated (sent to the runtime and written to cgroups). See KEP 1287.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.pods.identity import is_sidecar
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from podwright.k8s.quantity import parse

COMPUTE = ("cpu", "memory")


class ResizeGates(msgspec.Struct, frozen=True, kw_only=True):
    """The feature gates of in-place resize, with their defaults in Kubernetes 1.36."""

    pod_level: bool = True
    init_containers: bool = True
    exclusive_cpus: bool = False
    exclusive_memory: bool = False

    @classmethod
    def of(cls, states: Mapping[str, bool]) -> ResizeGates:
        """The gates, from the states of all gates (`config.gates.enabled`)."""
        return cls(
            pod_level=states["InPlacePodLevelResourcesVerticalScaling"],
            init_containers=states["InPlacePodVerticalScalingInitContainers"],
            exclusive_cpus=states["InPlacePodVerticalScalingExclusiveCPUs"],
            exclusive_memory=states["InPlacePodVerticalScalingExclusiveMemory"],
        )


class PodAllocation(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of a pod's containers by name, and its pod-level resources if it has any."""

    containers: Mapping[str, ResourceRequirements] = msgspec.field(default_factory=dict)
    pod: ResourceRequirements | None = None


class PodSizes(msgspec.Struct, frozen=True, kw_only=True):
    """The amounts that a resize can change. CPU in thousandths, memory in bytes. 0 means none."""

    cpu_request: int = 0
    cpu_limit: int = 0
    memory_request: int = 0
    memory_limit: int = 0

    def request(self, resource: str) -> int:
        """The request of `cpu` or `memory`."""
        return self.cpu_request if resource == "cpu" else self.memory_request

    def limit(self, resource: str) -> int:
        """The limit of `cpu` or `memory`."""
        return self.cpu_limit if resource == "cpu" else self.memory_limit


def resizable(pod: Pod, gates: ResizeGates) -> Iterator[Container]:
    """The containers whose resources may change: regular ones, and init containers if the gate allows them."""
    yield from (each for each in pod.spec.init_containers if gates.init_containers or is_sidecar(each))
    yield from pod.spec.containers


def allocation_of(pod: Pod, gates: ResizeGates) -> PodAllocation:
    """The resources that the pod's spec wants."""
    return PodAllocation(
        containers={each.name: each.resources for each in resizable(pod, gates)},
        pod=pod.spec.resources if gates.pod_level else None,
    )


def with_allocation(pod: Pod, allocation: PodAllocation | None, gates: ResizeGates) -> Pod:
    """The pod with its allocated resources in the spec. The same object if they equal the wanted ones."""
    if allocation is None:
        return pod
    given, spec = allocation.containers, pod.spec
    own = allocation.pod if gates.pod_level else spec.resources
    changed = replace(
        spec,
        resources=spec.resources if is_same(spec.resources, own) else own,
        containers=tuple(_given(each, given.get(each.name)) for each in spec.containers),
        init_containers=tuple(_given(each, given.get(each.name)) for each in spec.init_containers),
    )
    return pod if changed == spec else replace(pod, spec=changed)


def _given(container: Container, resources: ResourceRequirements | None) -> Container:
    if resources is None or is_same(container.resources, resources):
        return container
    return replace(container, resources=resources)


def is_same(left: ResourceRequirements | None, right: ResourceRequirements | None) -> bool:
    """Whether both are equal, however they are written: 1000m is 1."""
    if left is None or right is None:
        return left is right
    return left == right or _values(left) == _values(right)


def _values(resources: ResourceRequirements) -> tuple[object, ...]:
    return _amounts(resources.requests), _amounts(resources.limits), resources.claims


def _amounts(quantities: Mapping[str, str]) -> dict[str, int]:
    return {name: parse(text).nano for name, text in quantities.items()}


def sizes(resources: ResourceRequirements | None) -> PodSizes:
    """The CPU and memory of these resources."""
    if resources is None:
        return PodSizes()
    requests, limits = resources.requests, resources.limits
    return PodSizes(
        cpu_request=parse(requests.get("cpu", "0")).milli,
        cpu_limit=parse(limits.get("cpu", "0")).milli,
        memory_request=parse(requests.get("memory", "0")).whole,
        memory_limit=parse(limits.get("memory", "0")).whole,
    )


def effective(resources: ResourceRequirements, own: ResourceRequirements | None) -> ResourceRequirements:
    """A container's resources, with the pod-level limits if the container has none."""
    limits = dict(resources.limits)
    for name in COMPUTE:
        of_pod = own.limits.get(name, "0") if own is not None else "0"
        if not parse(limits.get(name, "0")).nano and parse(of_pod).nano:
            limits[name] = of_pod
    return resources if limits == resources.limits else replace(resources, limits=limits)


def mixed(wanted: ResourceRequirements, known: ResourceRequirements, resource: str) -> ResourceRequirements:
    """The wanted resources, but with the known value of `cpu` or `memory` for the one that is not named."""
    other = "memory" if resource == "cpu" else "cpu"
    return replace(
        wanted,
        requests=_with_other(wanted.requests, known.requests, other),
        limits=_with_other(wanted.limits, known.limits, other),
    )


def _with_other(wanted: Mapping[str, str], known: Mapping[str, str], other: str) -> dict[str, str]:
    found = {name: text for name, text in wanted.items() if name != other}
    return {**found, other: known[other]} if other in known else found
