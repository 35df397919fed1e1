"""What the runtime passes to plugins about a pod (CNI's "capability arguments"). Pure."""

from __future__ import annotations

from typing import Any

from podwright.errors import InvalidArgument
from podwright.runtime.network.bandwidth import bandwidth
from podwright.runtime.network.request import NetworkRequest

BURST_BITS = 2**32 - 1  # the burst that containerd and CRI-O pass to the bandwidth plugin
POD_ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


def capability_arguments(request: NetworkRequest) -> dict[str, Any]:
    """The arguments by capability. A plugin gets those that its configuration requests. Raises InvalidArgument."""
    found: dict[str, Any] = {}
    ports = [
        {
            "hostPort": port.host_port,
            "containerPort": port.container_port,
            "protocol": port.protocol.name.lower(),
            "hostIP": port.host_ip,
        }
        for port in request.port_mappings
        if port.host_port > 0
    ]
    if ports:
        found["portMappings"] = ports
    if limits := _bandwidth(request):
        found["bandwidth"] = limits
    if request.dns is not None:
        found["dns"] = {
            "servers": list(request.dns.servers),
            "searches": list(request.dns.searches),
            "options": list(request.dns.options),
        }
    if request.cgroup_parent:
        found["cgroupPath"] = request.cgroup_parent
    if request.annotations:
        found[POD_ANNOTATIONS] = dict(request.annotations)
    return found


def _bandwidth(request: NetworkRequest) -> dict[str, int]:
    limits = bandwidth(request.annotations)
    found: dict[str, int] = {}
    for prefix, rate in (("ingress", limits.ingress_bits_s), ("egress", limits.egress_bits_s)):
        if rate:
            found |= {f"{prefix}Rate": rate, f"{prefix}Burst": BURST_BITS}
    return found


def cni_args(request: NetworkRequest) -> tuple[tuple[str, str], ...]:
    """CNI_ARGS as pairs, like other CRI runtimes. Raises InvalidArgument for a name that would break the format."""
    pairs = (
        ("IgnoreUnknown", "1"),
        ("K8S_POD_NAMESPACE", request.name.namespace),
        ("K8S_POD_NAME", request.name.name),
        ("K8S_POD_INFRA_CONTAINER_ID", request.sandbox_id),
        ("K8S_POD_UID", request.name.uid),
    )
    for key, value in pairs:
        if any(sign in value for sign in ";=\0"):
            raise InvalidArgument(
                f"{key} {value!r} cannot be passed to a CNI plugin",
                hint="use a value without semicolon and equals sign",
            )
    return pairs
