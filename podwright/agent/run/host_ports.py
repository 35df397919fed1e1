"""Finds ports of this machine that two pods want. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.k8s.objects import Pod
from podwright.k8s.problems import Problem

ANY = ("", "0.0.0.0", "::")


def host_port_faults(pods: Iterable[Pod]) -> Iterator[Problem]:
    """A fault for each port that an earlier pod has. A cluster would run the second pod on another node."""
    taken: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for pod in pods:
        name = f"pod {pod.metadata.namespace}/{pod.metadata.name}"
        for number, protocol, address in _ports(pod):
            holders = taken.setdefault((number, protocol), [])
            for other_address, other in holders:
                if other != name and (other_address == address or ANY[0] in (address, other_address)):
                    message = f"hostPort {number}/{protocol} is taken by {other}"
                    yield Problem(path=name, message=message, hint="one machine has each port once")
                    break
            holders.append((address, name))


def _ports(pod: Pod) -> Iterator[tuple[int, str, str]]:
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                yield number, port.protocol or "TCP", "" if port.host_ip in ANY else port.host_ip
