"""Conversion between protobuf and the model: pod sandboxes."""

from __future__ import annotations

from collections.abc import Callable

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.model.container import GroupsPolicy
from podwright.runtime.model.sandbox import (
    DnsConfig,
    PortMapping,
    Protocol,
    Sandbox,
    SandboxConfig,
    SandboxName,
    SandboxSecurity,
    SandboxState,
)
from podwright.runtime.rpc import convert_base as base

STATES = {
    SandboxState.READY: api.SANDBOX_READY,
    SandboxState.STOPPING: api.SANDBOX_NOTREADY,
    SandboxState.NOTREADY: api.SANDBOX_NOTREADY,
}


def config(message: api.PodSandboxConfig) -> SandboxConfig:
    """CRI's PodSandboxConfig. Raises InvalidArgument."""
    if not message.HasField("metadata"):
        raise InvalidArgument("sandbox config: metadata is missing")
    base.refuse_windows(message, "sandbox config")
    given = message.metadata
    linux = message.linux
    return SandboxConfig(
        name=SandboxName(name=given.name, namespace=given.namespace, uid=given.uid, attempt=given.attempt),
        hostname=message.hostname,
        log_directory=message.log_directory,
        dns=_dns(message.dns_config) if message.HasField("dns_config") else None,
        port_mappings=tuple(_port(mapping) for mapping in message.port_mappings),
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        cgroup_parent=linux.cgroup_parent,
        sysctls=dict(linux.sysctls),
        security=_security(linux.security_context),
        overhead=base.resources(linux.overhead) if linux.HasField("overhead") else None,
        resources=base.resources(linux.resources) if linux.HasField("resources") else None,
    )


def _dns(message: api.DNSConfig) -> DnsConfig:
    return DnsConfig(servers=tuple(message.servers), searches=tuple(message.searches), options=tuple(message.options))


def _port(message: api.PortMapping) -> PortMapping:
    return PortMapping(
        container_port=message.container_port,
        host_port=message.host_port,
        protocol=base.enum_of(Protocol, message.protocol, "port_mappings.protocol"),
        host_ip=message.host_ip,
    )


def _security(message: api.LinuxSandboxSecurityContext) -> SandboxSecurity:
    # Both policies have the same effect: a pod's first process has no group file with members to merge.
    base.enum_of(GroupsPolicy, message.supplemental_groups_policy, "supplemental_groups_policy")
    return SandboxSecurity(
        namespaces=base.namespaces(message.namespace_options),
        selinux=base.selinux(message),
        run_as_user=base.optional_int(message, "run_as_user"),
        run_as_group=base.optional_int(message, "run_as_group"),
        readonly_rootfs=message.readonly_rootfs,
        supplemental_groups=tuple(message.supplemental_groups),
        privileged=message.privileged,
        seccomp=base.profile(message, "seccomp", message.seccomp_profile_path),
        apparmor=base.profile(message, "apparmor", ""),
    )


def metadata(name: SandboxName) -> api.PodSandboxMetadata:
    """CRI's PodSandboxMetadata."""
    return api.PodSandboxMetadata(name=name.name, namespace=name.namespace, uid=name.uid, attempt=name.attempt)


def item(sandbox: Sandbox) -> api.PodSandbox:
    """CRI's PodSandbox, an element of a list."""
    return api.PodSandbox(
        id=sandbox.id,
        metadata=metadata(sandbox.config.name),
        state=STATES[sandbox.state],
        created_at=sandbox.created_at,
        labels=sandbox.config.labels,
        annotations=sandbox.config.annotations,
        runtime_handler=sandbox.requested_handler,
    )


def status(sandbox: Sandbox) -> api.PodSandboxStatus:
    """CRI's PodSandboxStatus. A pod on the host's network reports no address: the kubelet knows the host's address."""
    message = api.PodSandboxStatus(
        id=sandbox.id,
        metadata=metadata(sandbox.config.name),
        state=STATES[sandbox.state],
        created_at=sandbox.created_at,
        network=api.PodSandboxNetworkStatus(),
        labels=sandbox.config.labels,
        annotations=sandbox.config.annotations,
        runtime_handler=sandbox.requested_handler,
    )
    message.linux.namespaces.options.CopyFrom(base.namespaces_message(sandbox.config.security.namespaces))
    if sandbox.attachment is not None and sandbox.attachment.ips:
        message.network.ip = sandbox.attachment.ips[0]
        message.network.additional_ips.extend(api.PodIP(ip=ip) for ip in sandbox.attachment.ips[1:])
    return message


def matcher(wanted: api.PodSandboxFilter) -> Callable[[Sandbox], bool] | None:
    """A predicate for the filter, or None if the filter lets everything through. The id may be a prefix."""
    if not wanted.ByteSize():
        return None
    state = wanted.state.state if wanted.HasField("state") else None
    labels = dict(wanted.label_selector).items()

    def matches(sandbox: Sandbox) -> bool:
        return (
            sandbox.id.startswith(wanted.id)
            and state in (None, STATES[sandbox.state])
            and sandbox.config.labels.items() >= labels
        )

    return matches
