"""Ports of regular containers as CRI's port mappings. Pure."""

from __future__ import annotations

from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Container, ContainerPort, Pod

PROTOCOLS = {"TCP": api.Protocol.TCP, "UDP": api.Protocol.UDP, "SCTP": api.Protocol.SCTP}


def port_mappings(pod: Pod) -> list[api.PortMapping]:
    """The mappings in the order of the spec. A port that a container has twice counts once."""
    return [
        api.PortMapping(
            host_ip=port.host_ip,
            host_port=port.host_port,
            container_port=port.container_port,
            protocol=PROTOCOLS.get(port.protocol, api.Protocol.TCP),
        )
        for container in pod.spec.containers
        for port in _distinct(container)
    ]


def _distinct(container: Container) -> list[ContainerPort]:
    """The ports with different names or, without a name, different numbers."""
    ports: dict[object, ContainerPort] = {}
    for port in container.ports:
        ports.setdefault(port.name or (port.protocol, port.host_ip, port.container_port, port.host_port), port)
    return list(ports.values())
