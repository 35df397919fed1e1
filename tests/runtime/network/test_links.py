"""Which of the host's routes stand in the way of the built-in bridge."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

import pytest

from podwright.runtime.network.bridge_link import BridgeSpec, find_overlap
from podwright.runtime.network.netlink.replies import Link, Route

SPEC = BridgeSpec(name="pw0", gateway=IPv4Interface("10.88.0.1/24"), mtu_bytes=0)
LINKS = [
    Link(index=index, name=name, kind="", alias="", master=0, mtu_bytes=1500)
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
