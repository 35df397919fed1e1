"""The addresses of a pod. Pure."""

from __future__ import annotations

from podwright.agent.configs.node import NodeFacts
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Pod


def pod_addresses(pod: Pod, observed: ObservedPod, facts: NodeFacts) -> tuple[str, ...]:
    """At most one address of each family, the node's first family first.

    The node's for a pod on the node's network.
    """
    if pod.spec.host_network:
        return facts.addresses
    prefers_v6 = bool(facts.addresses) and ":" in facts.addresses[0]
    first = {":" in address: address for address in reversed(observed.ips)}
    return tuple(first[is_v6] for is_v6 in (prefers_v6, not prefers_v6) if is_v6 in first)
