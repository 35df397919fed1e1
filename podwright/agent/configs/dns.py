"""A pod's resolv.conf as CRI's DNSConfig. Pure.

See https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.resolv_conf import Resolver
from podwright.agent.pods.identity import described
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod, PodDNSConfigOption

NAMESERVERS_MAX = 3  # resolv.conf(5): MAXNS
SEARCHES_MAX = 32
SEARCH_LINE_MAX = 2048
SEARCH_MAX = 253  # of one name, because older glibc aborts on longer ones
CLUSTER_OPTIONS = ("ndots:5",)


class DnsWarning(msgspec.Struct, frozen=True, kw_only=True):
    """An event to record, about the pod or about the node."""

    reason: str
    message: str
    about_node: bool = False


def dns_config(
    pod: Pod, settings: NodeSettings, facts: NodeFacts, host: Resolver
) -> tuple[api.DNSConfig, tuple[DnsWarning, ...]]:
    """The pod's DNS config, and warnings. `host` is the content of the node's `resolver_config`."""
    base, warnings = _by_policy(pod, settings, facts, host)
    added = pod.spec.dns_config
    if added is not None:
        base = Resolver(
            servers=_unique((*base.servers, *added.nameservers)),
            searches=_unique((*base.searches, *added.searches)),
            options=_merged(base.options, added.options),
        )
    servers, server_warnings = _limited_servers(base.servers)
    searches, search_warnings = _limited_searches(base.searches)
    config = api.DNSConfig(servers=servers, searches=searches, options=base.options)
    return config, (*warnings, *server_warnings, *search_warnings)


def _by_policy(
    pod: Pod, settings: NodeSettings, facts: NodeFacts, host: Resolver
) -> tuple[Resolver, tuple[DnsWarning, ...]]:
    policy = pod.spec.dns_policy
    if policy == "None":
        return Resolver(), ()
    if policy == "Default" or (policy == "ClusterFirst" and pod.spec.host_network):
        return _of_host(settings, facts, host), ()
    if not settings.cluster_dns:
        return _of_host(settings, facts, host), _missing_cluster_dns(pod)
    domain = settings.cluster_domain
    own = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain) if domain else ()
    searches = _unique((*own, *host.searches)) if own else host.searches
    return Resolver(servers=settings.cluster_dns, searches=searches, options=CLUSTER_OPTIONS), ()


def _missing_cluster_dns(pod: Pod) -> tuple[DnsWarning, ...]:
    text = (
        'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. '
        'Falling back to "Default" policy.'
    )
    about_pod = DnsWarning(reason="MissingClusterDNS", message=f'pod: "{described(pod)}". {text}')
    return DnsWarning(reason="MissingClusterDNS", message=text, about_node=True), about_pod


def _of_host(settings: NodeSettings, facts: NodeFacts, host: Resolver) -> Resolver:
    """The node's servers. Without a resolv.conf for pods, only loopback."""
    if settings.resolver_config:
        return host
    loopback = tuple("::1" if ":" in address else "127.0.0.1" for address in facts.addresses)
    return replace(host, servers=loopback or ("127.0.0.1",), searches=(".",))


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _merged(base: Iterable[str], added: Iterable[PodDNSConfigOption]) -> tuple[str, ...]:
    """The options. Those of the pod replace others with the same name."""
    values = {name: value for name, _, value in (option.partition(":") for option in base)}
    values.update({option.name: option.value or "" for option in added})
    return tuple(f"{name}:{value}" if value else name for name, value in values.items())


def _limited_servers(servers: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[DnsWarning, ...]]:
    if len(servers) <= NAMESERVERS_MAX:
        return servers, ()
    kept = servers[:NAMESERVERS_MAX]
    message = (
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        f"the applied nameserver line is: {' '.join(kept)}"
    )
    return kept, (DnsWarning(reason="DNSConfigForming", message=message),)


def _limited_searches(searches: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[DnsWarning, ...]]:
    kept = [search for search in searches[:SEARCHES_MAX] if len(search) <= SEARCH_MAX]
    while len(" ".join(kept)) > SEARCH_LINE_MAX:
        kept.pop()
    if len(kept) == len(searches):
        return searches, ()
    message = (
        "Search Line limits were exceeded, some search paths have been omitted, "
        f"the applied search line is: {' '.join(kept)}"
    )
    return tuple(kept), (DnsWarning(reason="DNSConfigForming", message=message),)
