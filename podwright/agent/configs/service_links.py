"""Environment variables with the addresses of services. Pure.

See https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.k8s.objects import Service

API_NAMESPACE, API_SERVICE = "default", "kubernetes"


def service_links(services: Iterable[Service], namespace: str, *, enabled: bool) -> dict[str, str]:
    """Variables of the namespace's services if they are `enabled`, and always of the API server's."""
    chosen: dict[str, Service] = {}
    for service in services:
        name = service.metadata.name
        if service.spec.cluster_ip in ("", "None"):
            continue
        if service.metadata.namespace == API_NAMESPACE and name == API_SERVICE:
            chosen.setdefault(name, service)
        elif service.metadata.namespace == namespace and enabled:
            chosen[name] = service
    return {name: value for key in sorted(chosen) for name, value in _variables(chosen[key])}


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    name, address, ports = _variable_name(service.metadata.name), service.spec.cluster_ip, service.spec.ports
    yield f"{name}_SERVICE_HOST", address
    if ports:
        yield f"{name}_SERVICE_PORT", str(ports[0].port)
    yield from ((f"{name}_SERVICE_PORT_{_variable_name(port.name)}", str(port.port)) for port in ports if port.name)
    host = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        protocol = port.protocol or "TCP"
        url = f"{protocol.lower()}://{host}:{port.port}"
        if index == 0:
            yield f"{name}_PORT", url
        prefix = f"{name}_PORT_{port.port}_{protocol.upper()}"
        yield prefix, url
        yield f"{prefix}_PROTO", protocol.lower()
        yield f"{prefix}_PORT", str(port.port)
        yield f"{prefix}_ADDR", address


def _variable_name(text: str) -> str:
    return text.replace("-", "_").upper()
