"""Resolver settings, host names and lines of /etc/hosts."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.k8s.names import label_faults, search_domain_faults, subdomain_faults
from podwright.k8s.objects.pod import PodDNSConfig, PodSpec
from podwright.k8s.problems import Problem, forbidden, invalid, required, too_long
from podwright.k8s.validation.common import address, named, one_of

POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
# What the C library reads.
NAMESERVERS_LIMIT, SEARCHES_LIMIT, SEARCH_CHARACTERS_LIMIT = 3, 32, 2048
HOSTNAME_LIMIT = 64


def validate_dns(spec: PodSpec) -> Iterator[Problem]:
    """dnsPolicy and dnsConfig, hostname, subdomain and hostAliases."""
    yield from one_of("spec.dnsPolicy", spec.dns_policy, POLICIES)
    config = spec.dns_config
    if spec.dns_policy == "None" and config is None:
        yield required("spec.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    elif spec.dns_policy == "None" and config is not None and not config.nameservers:
        message = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        yield required("spec.dnsConfig.nameservers", message)
    if config is not None:
        yield from _config("spec.dnsConfig", config)
    yield from _hostnames(spec)


def _config(path: str, config: PodDNSConfig) -> Iterator[Problem]:
    if len(config.nameservers) > NAMESERVERS_LIMIT:
        message = f"must not have more than {NAMESERVERS_LIMIT} nameservers"
        yield invalid(f"{path}.nameservers", " ".join(config.nameservers), message)
    for index, server in enumerate(config.nameservers):
        yield from address(f"{path}.nameservers[{index}]", server)
    if len(config.searches) > SEARCHES_LIMIT:
        message = f"must not have more than {SEARCHES_LIMIT} search paths"
        yield invalid(f"{path}.searches", len(config.searches), message)
    if len(" ".join(config.searches)) > SEARCH_CHARACTERS_LIMIT:
        limit = f"{SEARCH_CHARACTERS_LIMIT} characters (including spaces)"
        yield invalid(f"{path}.searches", len(config.searches), f"must not have more than {limit} in the search list")
    for index, search in enumerate(config.searches):
        if search != ".":
            faults = search_domain_faults(search.removesuffix("."))
            yield from (invalid(f"{path}.searches[{index}]", search, fault) for fault in faults)
    for index, option in enumerate(config.options):
        if not option.name:
            yield required(f"{path}.options[{index}]", "must not be empty")


def _hostnames(spec: PodSpec) -> Iterator[Problem]:
    yield from named("spec.hostname", spec.hostname, label_faults, needed=False)
    yield from named("spec.subdomain", spec.subdomain, label_faults, needed=False)
    for index, alias in enumerate(spec.host_aliases):
        yield from address(f"spec.hostAliases[{index}].ip", alias.ip)
        for number, hostname in enumerate(alias.hostnames):
            where = f"spec.hostAliases[{index}].hostnames[{number}]"
            yield from (invalid(where, hostname, fault) for fault in subdomain_faults(hostname))
    if spec.hostname_override is None:
        return
    path = "spec.hostnameOverride"
    if spec.set_hostname_as_fqdn:
        yield forbidden(path, "may not be specified when setHostnameAsFQDN is true")
    if spec.host_network:
        yield forbidden(path, "may not be specified when hostNetwork is true")
    if len(spec.hostname_override) > HOSTNAME_LIMIT:
        yield too_long(path, HOSTNAME_LIMIT)
    yield from (invalid(path, spec.hostname_override, fault) for fault in subdomain_faults(spec.hostname_override))
