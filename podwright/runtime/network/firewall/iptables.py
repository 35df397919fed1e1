"""The same rules for hosts without nft, as text for iptables-restore(8). Pure.

Names are short because the kernel allows 28 characters: chains `PW-<bridge>-D` (host ports), `-M` (masquerading) and
`-G` (guard), and two per pod with host ports, named after its veth. Rules are written exactly as `iptables -S` lists
them, so that a missing rule is a missing line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from podwright.runtime.network.firewall.rules import Published, Scope, protocol_name

TABLES = ("nat", "raw")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The output of `iptables -t TABLE -S` for our tables, as lines."""

    nat: frozenset[str]
    raw: frozenset[str]


def setup(scope: Scope, listing: Listing, pods: Iterable[Published]) -> str:
    """Create or repair our chains, with the host ports of `pods`. Other daemons' pods keep theirs."""
    pods = tuple(pods)
    ports, masquerade, guard = _chains(scope)
    others = published_veths(scope, listing) - {pod.veth for pod in pods}
    nat = [*_masquerading(scope), *sorted(_jumps_of_pods(scope, listing, others))]
    nat += [rule for rule in _hooks(scope, "nat") if rule not in listing.nat]
    raw = [f"-A {guard} -j DROP", *(rule for rule in _hooks(scope, "raw") if rule not in listing.raw)]
    return _restored("nat", (ports, masquerade), nat) + _restored("raw", (guard,), raw) + publish(scope, pods)


def lost(scope: Scope, listing: Listing, pods: Iterable[Published]) -> tuple[str, ...]:
    """Descriptions of what `setup` and `publish` made and what is missing now."""
    _, _, guard = _chains(scope)
    nat = [*_masquerading(scope), *_hooks(scope, "nat")]
    raw = [f"-A {guard} -j DROP", *_hooks(scope, "raw")]
    found = [f"the rule {rule!r}" for rule in nat if rule not in listing.nat]
    found += [f"the rule {rule!r}" for rule in raw if rule not in listing.raw]
    for pod in pods:
        if pod.ports and not listing.nat.issuperset(_jumps(scope, pod.veth) + _rules_of_pod(scope, pod)):
            found.append(f"host ports of {pod.address}")
    return tuple(found)


def publish(scope: Scope, pods: Iterable[Published]) -> str:
    """Add the host ports of `pods`, replacing the content of their chains. Empty if they have none."""
    chains: list[str] = []
    rules: list[str] = []
    for pod in pods:
        if pod.ports:
            chains += _pod_chains(pod.veth)
            rules += _rules_of_pod(scope, pod)
            first = any(port.host_ip for port in pod.ports)
            to_pod, from_pods = _jumps(scope, pod.veth)
            rules += [_at_the_head(to_pod) if first else to_pod, from_pods]
    return _restored("nat", chains, rules)


def withdraw(scope: Scope, listing: Listing, veths: Iterable[str]) -> str:
    """Remove the listed chains of pods. Empty if there are none."""
    rules: list[str] = []
    for veth in sorted(veths):
        rules += _removed(listing.nat, _jumps(scope, veth), _pod_chains(veth))
    return _restored("nat", (), rules)


def remove(scope: Scope, listing: Listing) -> str:
    """Remove our listed chains, which must have no pods. Empty if there are none."""
    ports, masquerade, guard = _chains(scope)
    nat = _removed(listing.nat, _hooks(scope, "nat"), (ports, masquerade))
    raw = _removed(listing.raw, _hooks(scope, "raw"), (guard,))
    return _restored("nat", (), nat) + _restored("raw", (), raw)


def published_veths(scope: Scope, listing: Listing) -> frozenset[str]:
    """The pods with jumps to their chains."""
    jump = re.compile(rf"-A {re.escape(_chains(scope)[0])} -j PW-(\S+)-D")
    return frozenset(found[1] for line in listing.nat if (found := jump.fullmatch(line)))


def _hooks(scope: Scope, table: str) -> list[str]:
    """Our rules in the kernel's own chains."""
    ports, masquerade, guard = _chains(scope)
    if table == "raw":
        return [f"-A PREROUTING -d 127.0.0.0/8 -i {scope.bridge} -j {guard}"]
    local = f"-m addrtype --dst-type LOCAL -j {ports}"
    return [f"-A PREROUTING {local}", f"-A OUTPUT {local}", f"-A POSTROUTING -j {masquerade}"]


def _masquerading(scope: Scope) -> list[str]:
    """Masquerading. `nft` explains these rules."""
    bridge, (_, chain, _) = scope.bridge, _chains(scope)
    rules = [f"-A {chain} -s 127.0.0.0/8 -o {bridge} -m conntrack --ctstate DNAT -j MASQUERADE"]
    for subnet in scope.subnets:
        rules += [f"-A {chain} -s {subnet} -d {other} ! -o {bridge} -j RETURN" for other in scope.subnets]
        rules += [f"-A {chain} -s {subnet} -d {other} ! -o {bridge} -j RETURN" for other in scope.direct]
        rules.append(f"-A {chain} -s {subnet} -d 224.0.0.0/4 ! -o {bridge} -j RETURN")
        rules.append(f"-A {chain} -s {subnet} ! -o {bridge} -j MASQUERADE")
    return rules


def _rules_of_pod(scope: Scope, pod: Published) -> list[str]:
    """The rules of a pod's two chains. Ports on one address come before those on all."""
    to_pod, from_pods = _pod_chains(pod.veth)
    rules = []
    for port in sorted(pod.ports, key=lambda port: not port.host_ip):
        protocol = protocol_name(port.protocol)
        at = f" -d {port.host_ip}/32" if port.host_ip else ""
        match = f"-p {protocol} -m {protocol} --dport"
        target = f"{pod.address}:{port.container_port}"
        rules.append(f"-A {to_pod}{at} {match} {port.host_port} -j DNAT --to-destination {target}")
        rules += [
            f"-A {from_pods} -s {subnet} -d {pod.address}/32 {match} {port.container_port}"
            " -m conntrack --ctstate DNAT -j MASQUERADE"
            for subnet in scope.subnets
        ]
    return list(dict.fromkeys(rules))  # two host ports may forward to one port of the pod


def _jumps(scope: Scope, veth: str) -> list[str]:
    """The jumps from the common chains to a pod's chains."""
    ports, masquerade, _ = _chains(scope)
    to_pod, from_pods = _pod_chains(veth)
    return [f"-A {ports} -j {to_pod}", f"-A {masquerade} -o {scope.bridge} -j {from_pods}"]


def _jumps_of_pods(scope: Scope, listing: Listing, veths: Iterable[str]) -> list[str]:
    """The jumps to pods whose chains exist."""
    return [
        jump
        for veth in veths
        for jump, chain in zip(_jumps(scope, veth), _pod_chains(veth), strict=True)
        if f"-N {chain}" in listing.nat
    ]


def _removed(listed: frozenset[str], jumps: Iterable[str], chains: Iterable[str]) -> list[str]:
    """Text that removes the listed ones of the jumps and chains. iptables fails as a whole for others."""
    present = [chain for chain in chains if f"-N {chain}" in listed]
    deletions = [rule.replace("-A", "-D", 1) for rule in jumps if rule in listed]
    return [*deletions, *(f"-F {chain}" for chain in present), *(f"-X {chain}" for chain in present)]


def _at_the_head(rule: str) -> str:
    return rule.replace("-A", "-I", 1)


def _restored(table: str, chains: Iterable[str], rules: Iterable[str]) -> str:
    """Input of iptables-restore. `chains` are created or emptied. Empty if there is nothing to do."""
    lines = [*(f":{chain} - [0:0]" for chain in chains), *rules]
    return "".join(f"{line}\n" for line in (f"*{table}", *lines, "COMMIT")) if lines else ""


def _chains(scope: Scope) -> tuple[str, str, str]:
    return f"PW-{scope.bridge}-D", f"PW-{scope.bridge}-M", f"PW-{scope.bridge}-G"


def _pod_chains(veth: str) -> tuple[str, str]:
    return f"PW-{veth}-D", f"PW-{veth}-M"
