"""The table of the built-in bridge, as text for nft(8). Pure.

One table per bridge, named after it. The rules never change. Pods only add and remove elements of its maps, so a pod
costs one run of nft and affects no other pod. Every statement may be repeated.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from podwright.runtime.network.firewall.rules import Published, Scope, protocol_name

_OBJECTS = """\
add table ip {t}
add map ip {t} host_ports {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map ip {t} host_ports_at {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add set ip {t} targets {{ type ipv4_addr . inet_proto . inet_service; }}
add set ip {t} subnets {{ type ipv4_addr; flags interval; }}
add element ip {t} subnets {{ {subnets} }}
add set ip {t} direct {{ type ipv4_addr; flags interval; }}
flush set ip {t} direct
{direct}\
add chain ip {t} to_pods
add chain ip {t} prerouting {{ type nat hook prerouting priority -100; }}
add chain ip {t} output {{ type nat hook output priority -100; }}
add chain ip {t} postrouting {{ type nat hook postrouting priority 100; }}
add chain ip {t} guard {{ type filter hook prerouting priority -300; }}
flush table ip {t}
"""

# In order: a port on one address comes before one on all. A pod must not reach the host's 127.0.0.1 through
# route_localnet. A pod cannot answer to the host's 127.0.0.1. Pods on one bridge (or a pod itself)
# would answer each other directly, without the translation. Pods have no address outside.
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
 ip daddr != @direct ip daddr != 224.0.0.0/4 masquerade
"""


_RULES_OF_CHAIN = Counter(line.split()[4] for line in _RULES.splitlines())
_BASE_CHAINS = frozenset(_RULES_OF_CHAIN) - {"to_pods"}
_MAPS = ("host_ports", "host_ports_at", "targets")

Listed = list[tuple[str, Any]]  # kinds and bodies of `nft -j list table`'s entries


def setup(scope: Scope) -> str:
    """Create the table or update its rules. The elements of its maps stay."""
    names = ", ".join(map(str, scope.direct))
    direct = f"add element ip {scope.bridge} direct {{ {names} }}\n" if names else ""
    return (_OBJECTS + _RULES).format(t=scope.bridge, bridge=scope.bridge, subnets=_subnets(scope), direct=direct)


def replace_subnets(scope: Scope) -> str:
    """Masquerade only these subnets. All are replaced, because nft cannot add an interval that overlaps another."""
    return f"flush set ip {scope.bridge} subnets\nadd element ip {scope.bridge} subnets {{ {_subnets(scope)} }}\n"


def lost(scope: Scope, listing: str, pods: Iterable[Published]) -> tuple[str, ...]:
    """Descriptions of what `setup` and `publish` made and what is missing now.

    `listing` is the output of `nft -j list table`. Raises ValueError for an unknown format.
    """
    entries = _entries(listing)
    try:
        return (*_lost_rules(scope, entries), *_lost_elements(scope, entries, pods))
    except (KeyError, TypeError, AttributeError, IndexError) as failure:
        raise _no_listing(failure) from failure


def publish(scope: Scope, pods: Iterable[Published]) -> str:
    """Add the host ports of `pods`. Empty if they have none."""
    return _elements("add", scope, pods, with_values=True)


def withdraw(scope: Scope, pods: Iterable[Published]) -> str:
    """Remove the host ports of `pods`. nft fails as a whole if one of them is absent."""
    return _elements("delete", scope, pods, with_values=False)


def withdraw_where(scope: Scope, listing: str, gone: Callable[[str], bool]) -> str:
    """Remove the elements for the addresses `gone`. `listing` is the output of `nft -j list table`.

    Raises ValueError for an unknown format.
    """
    lines: list[str] = []
    for name, element in _listed(listing):
        key, address = (element, element["concat"][0]) if name == "targets" else (element[0], element[1]["concat"][0])
        if gone(address):
            lines.append(f"delete element ip {scope.bridge} {name} {{ {_joined(key['concat'])} }}\n")
    return "".join(lines)


def remove(scope: Scope) -> str:
    """Remove the table. Adding it first makes the deletion succeed if it is absent."""
    return f"add table ip {scope.bridge}\ndelete table ip {scope.bridge}\n"


def _lost_rules(scope: Scope, entries: Listed) -> list[str]:
    found = [f"table {scope.bridge} is dormant" for kind, body in entries if kind == "table" and "flags" in body]
    rules = Counter(body["chain"] for kind, body in entries if kind == "rule")
    hooked = {body["name"] for kind, body in entries if kind == "chain" and "hook" in body}
    for chain, count in _RULES_OF_CHAIN.items():
        if rules[chain] < count or (chain in _BASE_CHAINS and chain not in hooked):
            found.append(f"rules of chain {chain}")
    return found


def _lost_elements(scope: Scope, entries: Listed, pods: Iterable[Published]) -> list[str]:
    found = []
    sets = {body["name"]: body.get("elem", ()) for kind, body in entries if kind in ("map", "set")}
    masqueraded = {_prefix(element) for element in sets.get("subnets", ())}
    found += [f"masquerading of {subnet}" for subnet in scope.subnets if str(subnet) not in masqueraded]
    spared = {_prefix(element) for element in sets.get("direct", ())}
    found += [
        f"the exception of {network} from masquerading" for network in scope.direct if str(network) not in spared
    ]
    present = {name: {_element(name, element) for element in sets.get(name, ())} for name in _MAPS}
    for pod in pods:
        if any(not wanted <= present[name] for name, wanted in _wanted([pod]).items()):
            found.append(f"host ports of {pod.address}")
    return found


def _prefix(element: Any) -> str:
    if isinstance(element, str):
        return f"{element}/32"
    return f"{element['prefix']['addr']}/{element['prefix']['len']}" if "prefix" in element else ""


def _element(name: str, element: Any) -> str:
    """An element of a listing in the form that `publish` writes."""
    if name == "targets":
        return _joined(element["concat"])
    key, value = element
    return f"{_joined(key['concat'])} : {_joined(value['concat'])}"


def _joined(parts: Iterable[Any]) -> str:
    return " . ".join(str(part) for part in parts)


def _subnets(scope: Scope) -> str:
    return ", ".join(map(str, scope.subnets))


def _elements(verb: str, scope: Scope, pods: Iterable[Published], *, with_values: bool) -> str:
    return "".join(
        f"{verb} element ip {scope.bridge} {name} {{ {', '.join(sorted(_shown(elements, with_values)))} }}\n"
        for name, elements in _wanted(pods).items()
        if elements
    )


def _shown(elements: Iterable[str], with_values: bool) -> set[str]:
    return {element if with_values else element.partition(" : ")[0] for element in elements}


def _wanted(pods: Iterable[Published]) -> dict[str, set[str]]:
    """The elements for these pods, by map."""
    found: dict[str, set[str]] = {name: set() for name in _MAPS}
    for pod in pods:
        for port in pod.ports:
            protocol = protocol_name(port.protocol)
            element = f"{protocol} . {port.host_port} : {pod.address} . {port.container_port}"
            if port.host_ip:
                found["host_ports_at"].add(f"{port.host_ip} . {element}")
            else:
                found["host_ports"].add(element)
            found["targets"].add(f"{pod.address} . {protocol} . {port.container_port}")
    return found


def _entries(listing: str) -> Listed:
    try:
        return [pair for entry in json.loads(listing)["nftables"] for pair in entry.items()]
    except (KeyError, TypeError, AttributeError) as failure:
        raise _no_listing(failure) from failure


def _listed(listing: str) -> Listed:
    """All elements of the maps, with the map's name."""
    try:
        return [
            (body["name"], element)
            for kind, body in _entries(listing)
            if kind in ("map", "set") and body["name"] in _MAPS
            for element in body.get("elem", ())
        ]
    except (KeyError, TypeError, AttributeError) as failure:
        raise _no_listing(failure) from failure


def _no_listing(failure: Exception) -> ValueError:
    return ValueError(f"not a listing of nft: {failure!r}")
