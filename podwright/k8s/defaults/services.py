"""Defaults of Services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from podwright.k8s.objects.base import ApiObject
from podwright.k8s.objects.service import ClientIPConfig, Service, ServicePort, ServiceSpec, SessionAffinityConfig

CLIENT_IP_SECONDS = 10800


def _service(service: Service) -> Service:
    spec = service.spec
    kind = spec.type or "ClusterIP"
    external = kind in ("NodePort", "LoadBalancer") or bool(spec.external_ips and kind == "ClusterIP")
    return replace(
        service,
        spec=replace(
            _with_affinity(spec),
            type=kind,
            external_traffic_policy=spec.external_traffic_policy or ("Cluster" if external else ""),
            internal_traffic_policy=spec.internal_traffic_policy or (None if kind == "ExternalName" else "Cluster"),
            allocate_load_balancer_node_ports=(
                True
                if kind == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None
                else spec.allocate_load_balancer_node_ports
            ),
        ),
    )


def _with_affinity(spec: ServiceSpec) -> ServiceSpec:
    affinity = spec.session_affinity or "None"
    config = spec.session_affinity_config if affinity != "None" else None
    timeout = config and config.client_ip and config.client_ip.timeout_seconds
    if affinity == "ClientIP" and timeout is None:
        config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=CLIENT_IP_SECONDS))
    return replace(spec, session_affinity=affinity, session_affinity_config=config)


def _service_port(port: ServicePort) -> ServicePort:
    return replace(port, protocol=port.protocol or "TCP", target_port=port.target_port or port.port)


RULES: dict[type[ApiObject], Callable[[Any], Any]] = {
    Service: _service,
    ServicePort: _service_port,
}
