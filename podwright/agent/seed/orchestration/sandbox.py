"""The PodSandboxConfig of a pod. Pure."""

from __future__ import annotations

from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.identity import sandbox_labels, sandbox_metadata
from podwright.agent.seed.orchestration.names_in_pod import dns_config
from podwright.agent.seed.orchestration.security import sandbox_security
from podwright.cri.v1 import api_pb2 as api

PROTOCOLS = {"TCP": api.Protocol.TCP, "UDP": api.Protocol.UDP, "SCTP": api.Protocol.SCTP}


def sandbox_config(context: PodContext, attempt: int) -> api.PodSandboxConfig:
    """What RunPodSandbox is told. The cgroup parent is left to the runtime until the agent keeps a QoS tree."""
    pod = context.pod
    return api.PodSandboxConfig(
        metadata=sandbox_metadata(context, attempt),
        hostname="" if pod.spec.host_network else context.hostname,
        log_directory=context.log_directory,
        dns_config=dns_config(context),
        port_mappings=_port_mappings(context),
        labels=sandbox_labels(context),
        annotations=pod.metadata.annotations,
        linux=api.LinuxPodSandboxConfig(
            security_context=sandbox_security(pod),
            sysctls={item.name.replace("/", "."): item.value for item in pod.spec.security_context.sysctls},
        ),
    )


def _port_mappings(context: PodContext) -> list[api.PortMapping]:
    """Ports of the containers that stay: regular ones and sidecars. On the host's network nothing is mapped."""
    if context.pod.spec.host_network:
        return []
    return [
        api.PortMapping(
            protocol=PROTOCOLS[port.protocol],
            container_port=port.container_port,
            host_port=port.host_port or 0,
            host_ip=port.host_ip,
        )
        for _, container in context.pod.all_containers()
        if not context.pod.is_init(container.name) or context.pod.is_sidecar(container)
        for port in container.ports
    ]
