"""What the sandbox's files say: hostname, hosts and resolv.conf. Pure."""

from __future__ import annotations

from podwright.runtime.model.sandbox import DnsConfig, SandboxConfig


def hostname(config: SandboxConfig, host_name: str) -> str:
    """The name that the pod's processes see; the host's when the request gives none."""
    return config.hostname or host_name


def resolv_conf(dns: DnsConfig | None, host_file: str) -> str:
    """The pod's resolv.conf: the request's lines, or the host's file when the request has no DNS config at all."""
    if dns is None:
        return host_file
    lines = []
    if dns.searches:
        lines.append("search " + " ".join(dns.searches))
    lines += [f"nameserver {server}" for server in dns.servers]
    if dns.options:
        lines.append("options " + " ".join(dns.options))
    return "".join(f"{line}\n" for line in lines)
