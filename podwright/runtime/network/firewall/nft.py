"""The table of the built-in bridge in nft(8)'s language. Pure text.

A table per bridge, named after it. The rules never change: what comes and goes are elements of its maps, so that a
pod costs one run of nft and touches no other pod. Every statement may be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from podwright.runtime.network.firewall.rules import Published, Scope, protocol_name

_OBJECTS = """\
add table ip {t}
add map ip {t} host_ports {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map ip {t} host_ports_at {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add set ip {t} targets {{ type ipv4_addr . inet_proto . inet_service; }}
add set ip {t} subnets {{ type ipv4_addr; flags interval; }}
add element ip {t} subnets {{ {subnet} }}
add chain ip {t} to_pods
add chain ip {t} prerouting {{ type nat hook prerouting priority -100; }}
add chain ip {t} output {{ type nat hook output priority -100; }}
add chain ip {t} postrouting {{ type nat hook postrouting priority 100; }}
add chain ip {t} guard {{ type filter hook prerouting priority -300; }}
flush table ip {t}
"""

# In turn: a port asked for on one address comes before one on all; a pod must not reach the host's 127.0.0.1 through
# route_localnet; the host's 127.0.0.1 is no address that a pod could answer; pods on one bridge (or a pod itself)
# would answer each other directly, past the translation; pods have no address outside.
_RULES = """\
add rule ip {t} to_pods dnat ip to ip daddr . meta l4proto . th dport map @host_ports_at
add rule ip {t} to_pods dnat ip to meta l4proto . th dport map @host_ports
add rule ip {t} prerouting fib daddr type local jump to_pods
add rule ip {t} output fib daddr type local jump to_pods
add rule ip {t} guard iifname "{bridge}" ip daddr 127.0.0.0/8 drop
add rule ip {t} postrouting oifname "{bridge}" ct status dnat ip saddr 127.0.0.0/8 masquerade
add rule ip {t} postrouting oifname "{bridge}" ct status dnat ip saddr @subnets\
 ip daddr . meta l4proto . th dport @targets masquerade
add rule ip {t} postrouting oifname != "{bridge}" ip saddr @subnets ip daddr != @subnets\
 ip daddr != 224.0.0.0/4 masquerade
"""


def setup(scope: Scope) -> str:
    """Make the table, or bring its rules up to date; the elements of its maps stay."""
    return (_OBJECTS + _RULES).format(t=scope.bridge, bridge=scope.bridge, subnet=scope.subnet)


def publish(scope: Scope, pods: Iterable[Published]) -> str:
    """Add the host ports of `pods`; empty when they have none."""
    return _elements("add", scope, pods, with_values=True)


def withdraw(scope: Scope, pods: Iterable[Published]) -> str:
    """Take the host ports of `pods` away; nft fails, and does nothing, when one of them is not there."""
    return _elements("delete", scope, pods, with_values=False)


def withdraw_where(scope: Scope, listing: str, gone: Callable[[str], bool]) -> str:
    """Take away what leads to the addresses that are `gone`; `listing` is `nft -j list table`.

    Raises ValueError for a listing that is not what nft writes.
    """
    lines: list[str] = []
    for name, element in _listed(listing):
        key, address = (element, element["concat"][0]) if name == "targets" else (element[0], element[1]["concat"][0])
        if gone(address):
            words = " . ".join(str(word) for word in key["concat"])
            lines.append(f"delete element ip {scope.bridge} {name} {{ {words} }}\n")
    return "".join(lines)


def remove(scope: Scope) -> str:
    """Remove the table, there or not: adding it first makes the deletion succeed."""
    return f"add table ip {scope.bridge}\ndelete table ip {scope.bridge}\n"


def _elements(verb: str, scope: Scope, pods: Iterable[Published], *, with_values: bool) -> str:
    found: dict[str, set[str]] = {"host_ports": set(), "host_ports_at": set(), "targets": set()}
    for pod in pods:
        for port in pod.ports:
            protocol = protocol_name(port.protocol)
            value = f" : {pod.address} . {port.container_port}" if with_values else ""
            key = f"{protocol} . {port.host_port}{value}"
            if port.host_ip:
                found["host_ports_at"].add(f"{port.host_ip} . {key}")
            else:
                found["host_ports"].add(key)
            found["targets"].add(f"{pod.address} . {protocol} . {port.container_port}")
    return "".join(
        f"{verb} element ip {scope.bridge} {name} {{ {', '.join(sorted(elements))} }}\n"
        for name, elements in found.items()
        if elements
    )


def _listed(listing: str) -> list[tuple[str, Any]]:
    try:
        entries = json.loads(listing)["nftables"]
        return [
            (body["name"], element)
            for entry in entries
            for kind, body in entry.items()
            if kind in ("map", "set") and body["name"] in ("host_ports", "host_ports_at", "targets")
            for element in body.get("elem", ())
        ]
    except (KeyError, TypeError, AttributeError) as failure:
        raise ValueError(f"not a listing of nft: {failure!r}") from failure
