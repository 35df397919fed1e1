"""What a pod resolves names with: its resolv.conf as CRI's DNSConfig, and its /etc/hosts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.agent.seed.manifest.pod import DnsOption
from podwright.agent.seed.orchestration.context import PodContext
from podwright.cri.v1 import api_pb2 as api

NAMESERVERS_MAX = 3  # resolv.conf(5): MAXNS
SEARCHES_MAX = 32
HOSTS_HEADER = "# Made by podwright for this pod; changes are lost when a container restarts.\n"
LOCALHOST = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """The contents of a resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> Resolver:
    """The three kinds of lines that travel; the last `search` line wins, as in the C library."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        keyword, *values = line.split("#")[0].split(";")[0].split() or [""]
        if keyword == "nameserver":
            servers += values[:1]
        elif keyword == "search":
            searches = values
        elif keyword == "options":
            options += values
    return Resolver(servers=tuple(servers), searches=tuple(searches), options=tuple(options))


def dns_config(context: PodContext) -> api.DNSConfig:
    """The host's resolver (there is no cluster DNS here) unless dnsPolicy is None, with dnsConfig merged in."""
    spec = context.pod.spec
    base = Resolver() if spec.dns_policy == "None" else parse_resolv_conf(context.host.resolv_conf)
    added = spec.dns_config
    return api.DNSConfig(
        servers=_unique((*base.servers, *added.nameservers))[:NAMESERVERS_MAX],
        searches=_unique((*base.searches, *added.searches))[:SEARCHES_MAX],
        options=_merged_options(base.options, added.options),
    )


def _unique(values: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(values))


def _merged_options(base: tuple[str, ...], added: tuple[DnsOption, ...]) -> list[str]:
    """The manifest's options override the host's of the same name."""
    options = {option.partition(":")[0]: option for option in base}
    options.update({item.name: f"{item.name}:{item.value}" if item.value else item.name for item in added})
    return list(options.values())


def etc_hosts(context: PodContext, pod_ips: tuple[str, ...]) -> str:
    """The file that the containers share. A pod on the host's network gets the host's own, plus its aliases."""
    spec = context.pod.spec
    if spec.host_network:
        body = context.host.hosts if context.host.hosts.endswith("\n") else context.host.hosts + "\n"
    else:
        body = LOCALHOST + "".join(f"{ip}\t{_own_names(context)}\n" for ip in pod_ips)
    aliases = "".join(f"{alias.ip}\t{' '.join(alias.hostnames)}\n" for alias in spec.host_aliases)
    return HOSTS_HEADER + body + (f"\n# spec.hostAliases\n{aliases}" if aliases else "")


def _own_names(context: PodContext) -> str:
    subdomain, namespace = context.pod.spec.subdomain, context.pod.metadata.namespace
    if not subdomain:
        return context.hostname
    return f"{context.hostname}.{subdomain}.{namespace}.svc.cluster.local\t{context.hostname}"
