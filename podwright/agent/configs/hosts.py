"""The /etc/hosts that all containers of a pod share. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.configs.hostname import PodNames
from podwright.k8s.objects import HostAlias

PATH = "/etc/hosts"
# Tools recognise the kubelet's file by these lines.
HEADER = b"# Kubernetes-managed hosts file.\n"
HOST_NETWORK_HEADER = b"# Kubernetes-managed hosts file (host network).\n"
LOCALHOST = (
    b"127.0.0.1\tlocalhost\n"
    b"::1\tlocalhost ip6-localhost ip6-loopback\n"
    b"fe00::0\tip6-localnet\n"
    b"fe00::0\tip6-mcastprefix\n"
    b"fe00::1\tip6-allnodes\n"
    b"fe00::2\tip6-allrouters\n"
)


def pod_hosts(names: PodNames, addresses: Iterable[str], aliases: Iterable[HostAlias]) -> bytes:
    """The file of a pod with its own network."""
    full = f"{names.host}.{names.domain}\t{names.host}" if names.domain else names.host
    own = "".join(f"{address}\t{full}\n" for address in addresses)
    return HEADER + LOCALHOST + own.encode() + _entries(aliases)


def host_network_hosts(hosts: bytes, aliases: Iterable[HostAlias]) -> bytes:
    """The file of a pod on the host's network: the host's `hosts`, and the pod's aliases."""
    return HOST_NETWORK_HEADER + hosts + _entries(aliases)


def _entries(aliases: Iterable[HostAlias]) -> bytes:
    lines = ["\t".join((alias.ip, *alias.hostnames)) + "\n" for alias in aliases]
    return ("\n# Entries added by HostAliases.\n" + "".join(lines)).encode() if lines else b""
