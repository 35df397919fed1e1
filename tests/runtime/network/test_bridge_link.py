"""What stands in the way of the built-in bridge, and what it lacks."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

import pytest

from podwright.runtime.network.bridge_link import BridgeSpec, HostLinks, find_missing, find_overlap
from podwright.runtime.network.netlink.replies import InterfaceAddress, NetworkInterface, Route

SPEC = BridgeSpec(name="pw0", gateway=IPv4Interface("10.88.0.1/24"), mtu_bytes=0)
LINKS = [
    NetworkInterface(index=index, name=name, kind="", alias="", master=0, mtu_bytes=1500)
    for index, name in ((1, "lo"), (2, "eth0"), (7, "pw0"))
]


@pytest.mark.parametrize(
    ("destination", "link", "expected"),
    [
        ("0.0.0.0/0", 2, ""),
        ("192.0.2.0/24", 2, ""),
        ("10.88.0.0/24", 7, ""),
        ("10.88.0.0/24", 2, "10.88.0.0/24 dev eth0"),
        ("10.0.0.0/8", 2, "10.0.0.0/8 dev eth0"),
        ("10.88.0.128/25", 0, "10.88.0.128/25 dev ?"),  # a blackhole route has no link
        ("10.88.0.0/24", 8, ""),  # the link went away between the two dumps, and took its route along
    ],
)
def test_overlap(destination: str, link: int, expected: str) -> None:
    assert find_overlap(SPEC, LINKS, [Route(destination=IPv4Network(destination), link=link)]) == expected


KEPT = IPv4Interface("10.77.0.1/24")
WANTED = BridgeSpec(name="pw0", gateway=SPEC.gateway, kept=(KEPT,), veths=frozenset({"pw0a580002"}), mtu_bytes=0)


def found(
    *, up: bool = True, master: int = 7, addresses: int = 2, routes: int = 2, off: tuple[str, ...] = ()
) -> HostLinks:
    """A bridge that lacks nothing but what is said."""
    bridge = NetworkInterface(index=7, name="pw0", kind="bridge", alias="", master=0, mtu_bytes=1500, up=up)
    pod = NetworkInterface(index=9, name="pw0a580002", kind="veth", alias="", master=master, mtu_bytes=1500)
    wanted = (SPEC.gateway, KEPT)
    return HostLinks(
        links=[*LINKS[:2], bridge, pod],
        addresses=[InterfaceAddress(interface=interface, link=7) for interface in wanted[:addresses]],
        routes=[Route(destination=interface.network, link=7) for interface in wanted[:routes]],
        off=off,
    )


@pytest.mark.parametrize(
    ("there", "lacks"),
    [
        (found(), ()),
        (HostLinks(links=LINKS[:2], addresses=[], routes=[], off=("ip_forward",)), ("bridge pw0",)),
        (found(up=False, routes=0), ("bridge pw0 is down",)),  # the routes come with the link
        (found(addresses=1, routes=1), ("address 10.77.0.1/24 of pw0",)),  # and with the address
        (found(routes=1), ("route to 10.77.0.0/24 by pw0",)),
        (found(master=0), ("pw0a580002 on pw0",)),
        (found(off=("conf/pw0/forwarding",)), ("net.ipv4.conf.pw0.forwarding is off",)),
    ],
)
def test_missing(there: HostLinks, lacks: tuple[str, ...]) -> None:
    assert find_missing(WANTED, there).described("pw0") == lacks
