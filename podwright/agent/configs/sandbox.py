"""The PodSandboxConfig of a pod. Pure."""

from __future__ import annotations

import msgspec

from podwright.agent.configs.dns import DnsWarning, dns_config
from podwright.agent.configs.hostname import sandbox_hostname
from podwright.agent.configs.labels import sandbox_labels
from podwright.agent.configs.logs import pod_log_directory
from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.port_mappings import port_mappings
from podwright.agent.configs.resolv_conf import Resolver
from podwright.agent.configs.resources import sandbox_overhead, sandbox_resources
from podwright.agent.configs.security import sandbox_security
from podwright.agent.configs.sysctls import dotted
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod


class SandboxConfigInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a sandbox in addition to the pod.

    `host_resolver` is the content of the node's `resolver_config`.
    """

    attempt: int
    facts: NodeFacts
    settings: NodeSettings
    host_resolver: Resolver
    cgroup_parent: str
    users: PodUserNamespace | None = None
    extra_groups: tuple[int, ...] = ()
    lifts_quota: bool = False  # the pod has exclusive CPUs


def sandbox_config(pod: Pod, inputs: SandboxConfigInputs) -> tuple[api.PodSandboxConfig, tuple[DnsWarning, ...]]:
    """The config for RunPodSandbox, and warnings. Raises InvalidArgument."""
    facts, settings, metadata = inputs.facts, inputs.settings, pod.metadata
    dns, warnings = dns_config(pod, settings, facts, inputs.host_resolver)
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(
            name=metadata.name, namespace=metadata.namespace, uid=metadata.uid, attempt=inputs.attempt
        ),
        hostname=sandbox_hostname(pod, settings.cluster_domain),
        log_directory=pod_log_directory(settings.log_root, pod),
        dns_config=dns,
        port_mappings=port_mappings(pod),
        labels=sandbox_labels(pod),
        annotations=metadata.annotations,
        linux=api.LinuxPodSandboxConfig(
            cgroup_parent=inputs.cgroup_parent,
            security_context=sandbox_security(pod, inputs.users, inputs.extra_groups),
            sysctls=_sysctls(pod),
            overhead=sandbox_overhead(pod, facts, settings),
            resources=sandbox_resources(pod, facts, settings, lifts_quota=inputs.lifts_quota),
        ),
    )
    return config, warnings


def _sysctls(pod: Pod) -> dict[str, str]:
    context = pod.spec.security_context
    return {dotted(sysctl.name): sysctl.value for sysctl in context.sysctls} if context else {}
