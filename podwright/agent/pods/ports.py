"""Ports of containers by number or by name."""

from __future__ import annotations

from podwright.errors import InvalidArgument
from podwright.k8s.objects import Container

PORT_MAX = 65535


def find_port(container: Container, port: int | str) -> int:
    """The number of a port that is given by number, or by a name among the container's ports.

    Raises InvalidArgument.
    """
    if isinstance(port, str) and not port.isdigit():
        number = next((each.container_port for each in container.ports if each.name == port), 0)
        if not number:
            raise InvalidArgument(f"container {container.name} has no port named {port!r}")
    else:
        number = int(port)
    if not 0 < number <= PORT_MAX:
        raise InvalidArgument(f"container {container.name}: {port!r} is not a port number")
    return number
