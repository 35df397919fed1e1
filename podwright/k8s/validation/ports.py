"""Container ports and host ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.k8s.names import port_faults, port_name_faults
from podwright.k8s.objects.container import Container, ContainerPort
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.problems import Problem, duplicate, invalid, required
from podwright.k8s.validation.common import address, one_of

PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_ports(path: str, ports: Iterable[ContainerPort]) -> Iterator[Problem]:
    """The ports of one container."""
    names: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}.ports[{index}]"
        yield from (invalid(f"{here}.name", port.name, fault) for fault in port_name_faults(port.name) if port.name)
        if port.name and port.name in names:
            yield duplicate(f"{here}.name", port.name)
        names.add(port.name)
        if not port.container_port:
            yield required(f"{here}.containerPort")
        for wire, number in (("containerPort", port.container_port), ("hostPort", port.host_port)):
            if number:
                yield from (invalid(f"{here}.{wire}", number, fault) for fault in port_faults(number))
        yield from one_of(f"{here}.protocol", port.protocol, PROTOCOLS)
        if port.host_ip:
            # The API takes any text; no runtime can bind what is no address.
            yield from address(f"{here}.hostIP", port.host_ip)


def validate_host_ports(spec: PodSpec) -> Iterator[Problem]:
    """No two containers that run together may have the same port of the same address.

    An empty hostIP beside 127.0.0.1 is accepted: to the API these are two addresses.
    """
    yield from _conflicts("spec.containers", enumerate(spec.containers))
    for index, container in enumerate(spec.init_containers):
        yield from _conflicts("spec.initContainers", [(index, container)])
    if not spec.host_network:
        return
    for index, container in enumerate(spec.containers):
        for number, port in enumerate(container.ports):
            if port.host_port != port.container_port:
                message = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(f"spec.containers[{index}].ports[{number}].hostPort", port.host_port, message)


def _conflicts(path: str, containers: Iterable[tuple[int, Container]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, container in containers:
        for number, port in enumerate(container.ports):
            if port.host_port:
                binding = f"{port.protocol}/{port.host_ip}/{port.host_port}"
                if binding in seen:
                    yield duplicate(f"{path}[{index}].ports[{number}].hostPort", binding)
                seen.add(binding)
