"""The same rules for hosts without nft, in the language of iptables-restore(8). Pure text.

Names are short because the kernel allows 28 characters: chains `PW-<bridge>-D` (host ports), `-M` (masquerading) and
`-G` (guard), and two for each pod that has host ports, named after its veth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from podwright.runtime.network.firewall.rules import Published, Scope, protocol_name


def hooks(scope: Scope) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(table, rule without its -A/-C/-D) for each rule that stands in one of the kernel's own chains."""
    ports, masquerade, guard = _chains(scope)
    local = ("-m", "addrtype", "--dst-type", "LOCAL", "-j", ports)
    return (
        ("nat", ("PREROUTING", *local)),
        ("nat", ("OUTPUT", *local)),
        ("nat", ("POSTROUTING", "-j", masquerade)),
        ("raw", ("PREROUTING", "-i", scope.bridge, "-d", "127.0.0.0/8", "-j", guard)),
    )


def setup(scope: Scope) -> str:
    """Make our chains; they must not exist. The reasons of the rules stand in `nft`."""
    ports, masquerade, guard = _chains(scope)
    bridge, subnet = scope.bridge, scope.subnet
    jumps = "".join(f"-A {' '.join(rule)}\n" for table, rule in hooks(scope) if table == "nat")
    raw_jumps = "".join(f"-A {' '.join(rule)}\n" for table, rule in hooks(scope) if table == "raw")
    return (
        f"*nat\n:{ports} - [0:0]\n:{masquerade} - [0:0]\n"
        f"-A {masquerade} -o {bridge} -s 127.0.0.0/8 -m conntrack --ctstate DNAT -j MASQUERADE\n"
        f"-A {masquerade} ! -o {bridge} -s {subnet} -d {subnet} -j RETURN\n"
        f"-A {masquerade} ! -o {bridge} -s {subnet} -d 224.0.0.0/4 -j RETURN\n"
        f"-A {masquerade} ! -o {bridge} -s {subnet} -j MASQUERADE\n"
        f"{jumps}COMMIT\n"
        f"*raw\n:{guard} - [0:0]\n-A {guard} -j DROP\n{raw_jumps}COMMIT\n"
    )


def publish(scope: Scope, pods: Iterable[Published]) -> str:
    """Add the host ports of `pods`, in place of what their chains held; empty when they have none."""
    ports, masquerade, _ = _chains(scope)
    declared, rules = "", ""
    for pod in pods:
        if not pod.ports:
            continue
        to_pod, from_pods = _pod_chains(pod.veth)
        declared += f":{to_pod} - [0:0]\n:{from_pods} - [0:0]\n"
        # Ports on one address come before those on all; each goes in at the head of the common chain.
        for port in sorted(pod.ports, key=lambda port: not port.host_ip):
            protocol = protocol_name(port.protocol)
            at = f" -d {port.host_ip}" if port.host_ip else ""
            target = f"{pod.address}:{port.container_port}"
            rules += f"-A {to_pod}{at} -p {protocol} --dport {port.host_port} -j DNAT --to-destination {target}\n"
            rules += (
                f"-A {from_pods} -s {scope.subnet} -d {pod.address} -p {protocol} --dport {port.container_port}"
                " -m conntrack --ctstate DNAT -j MASQUERADE\n"
            )
        bound = any(port.host_ip for port in pod.ports)
        rules += f"-{'I' if bound else 'A'} {ports} -j {to_pod}\n-A {masquerade} -o {scope.bridge} -j {from_pods}\n"
    return f"*nat\n{declared}{rules}COMMIT\n" if rules else ""


def withdraw(scope: Scope, veths: Iterable[str]) -> str:
    """Take away the chains of pods; iptables fails, and does nothing, when one is not there."""
    ports, masquerade, _ = _chains(scope)
    rules = ""
    for veth in veths:
        to_pod, from_pods = _pod_chains(veth)
        rules += f"-D {ports} -j {to_pod}\n-D {masquerade} -o {scope.bridge} -j {from_pods}\n"
        rules += f"-F {to_pod}\n-F {from_pods}\n-X {to_pod}\n-X {from_pods}\n"
    return f"*nat\n{rules}COMMIT\n" if rules else ""


def published_veths(scope: Scope, listing: str) -> frozenset[str]:
    """The pods that have chains; `listing` is `iptables -t nat -S`."""
    ports, _, _ = _chains(scope)
    return frozenset(re.findall(rf"^-A {re.escape(ports)} -j PW-(\S+)-D$", listing, re.MULTILINE))


def exists(scope: Scope, listing: str) -> bool:
    """Whether `setup` was done; `listing` is `iptables -t nat -S`."""
    return f"-N {_chains(scope)[1]}" in listing.splitlines()


def remove(scope: Scope) -> str:
    """Remove our chains, which must exist and have no pods."""
    ports, masquerade, guard = _chains(scope)
    jumps = "".join(f"-D {' '.join(rule)}\n" for table, rule in hooks(scope) if table == "nat")
    raw_jumps = "".join(f"-D {' '.join(rule)}\n" for table, rule in hooks(scope) if table == "raw")
    chains = "".join(f"-F {name}\n-X {name}\n" for name in (ports, masquerade))
    return f"*nat\n{jumps}{chains}COMMIT\n*raw\n{raw_jumps}-F {guard}\n-X {guard}\nCOMMIT\n"


def _chains(scope: Scope) -> tuple[str, str, str]:
    return f"PW-{scope.bridge}-D", f"PW-{scope.bridge}-M", f"PW-{scope.bridge}-G"


def _pod_chains(veth: str) -> tuple[str, str]:
    return f"PW-{veth}-D", f"PW-{veth}-M"
