"""The addresses of a pod and its node in the pod's status. Pure."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Sequence

from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Pod, PodIP, PodStatus

IPV4, IPV6 = 4, 6


def by_family(ips: Iterable[str], node_ips: Sequence[str]) -> tuple[str, ...]:
    """The first address of each family in canonical form. The family of the node's first address comes first.

    Leaves out what is no address: the runtime may report anything.
    """
    parsed: dict[int, str] = {}
    for text in ips:
        with contextlib.suppress(ValueError):
            ip = ipaddress.ip_address(text)
            parsed.setdefault(ip.version, str(ip))
    primary = _family(node_ips[0]) if node_ips else IPV4
    order = (primary, IPV4 if primary == IPV6 else IPV6)
    return tuple(parsed[family] for family in order if family in parsed)


def pod_ips(pod: Pod, observed: ObservedPod, previous: PodStatus, node_ips: Sequence[str]) -> tuple[PodIP, ...]:
    """The pod's addresses: the node's for a pod on the node's network, else the sandbox's.

    A pod whose sandbox is stopped keeps its addresses, as clients expect of a completed pod.
    """
    if pod.spec.host_network:
        return tuple(PodIP(ip=ip) for ip in by_family(node_ips, node_ips))
    found = by_family(observed.ips, node_ips)
    if not found and not observed.ready_sandboxes():
        return previous.pod_ips
    return tuple(PodIP(ip=ip) for ip in found)


def _family(text: str) -> int:
    return ipaddress.ip_address(text).version
