"""The content of the sandbox's files: hostname, hosts and resolv.conf. Pure."""

from __future__ import annotations

from podwright.runtime.model.sandbox import DnsConfig, SandboxConfig


def hostname(config: SandboxConfig, host_name: str) -> str:
    """The hostname for the pod's processes. The host's if the request has none."""
    return config.hostname or host_name


def resolv_conf(dns: DnsConfig | None, host_file: str) -> str:
    """The pod's resolv.conf: from the request's DNS config, or the host's file if the request has none."""
    if dns is None:
        return host_file
    lines = []
    if dns.searches:
        lines.append("search " + " ".join(dns.searches))
    lines += [f"nameserver {server}" for server in dns.servers]
    if dns.options:
        lines.append("options " + " ".join(dns.options))
    return "".join(f"{line}\n" for line in lines)
