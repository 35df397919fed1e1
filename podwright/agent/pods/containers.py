"""The containers of a pod, of all three kinds."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.agent.pods.identity import is_sidecar
from podwright.k8s.objects import Container, EphemeralContainer, Pod

AnyContainer = Container | EphemeralContainer


def all_containers(pod: Pod) -> Iterator[AnyContainer]:
    """Init containers, regular ones, ephemeral ones, each in the order of the spec."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def find_container(pod: Pod, name: str) -> AnyContainer | None:
    """The container with this name, or None."""
    return next((container for container in all_containers(pod) if container.name == name), None)


def lasting_containers(pod: Pod) -> Iterator[Container]:
    """The containers that run as long as the pod: sidecars and regular ones."""
    yield from (container for container in pod.spec.init_containers if is_sidecar(container))
    yield from pod.spec.containers


def is_init(pod: Pod, name: str) -> bool:
    """Whether a container is among the init containers, sidecars included."""
    return any(container.name == name for container in pod.spec.init_containers)


def field_path(pod: Pod, name: str) -> str:
    """The container's path in events: `spec.containers{name}`."""
    if is_init(pod, name):
        return f"spec.initContainers{{{name}}}"
    if any(container.name == name for container in pod.spec.ephemeral_containers):
        return f"spec.ephemeralContainers{{{name}}}"
    return f"spec.containers{{{name}}}"
