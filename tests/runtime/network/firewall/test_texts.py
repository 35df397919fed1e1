"""The rules as text, for nft and for iptables."""

from __future__ import annotations

import json
import subprocess

import pytest

from podwright.runtime.model.sandbox import PortMapping, Protocol
from podwright.runtime.network.firewall import iptables, nft
from podwright.runtime.network.firewall.rules import Published, Scope

SCOPE = Scope(bridge="pwtext0", subnet="10.199.0.0/24")
WEB = Published(
    veth="pw0ac70002",
    address="10.199.0.2",
    ports=(
        PortMapping(container_port=80, host_port=8080),
        PortMapping(container_port=80, host_port=8081, host_ip="127.0.0.1"),
        PortMapping(container_port=9, host_port=9, protocol=Protocol.SCTP),
    ),
)
DNS = Published(
    veth="pw0ac70003",
    address="10.199.0.3",
    ports=(PortMapping(container_port=53, host_port=53, protocol=Protocol.UDP),),
)
BARE = Published(veth="pw0ac70004", address="10.199.0.4", ports=())


def test_nft_publish() -> None:
    assert nft.publish(SCOPE, [WEB, DNS, BARE]) == (
        "add element ip pwtext0 host_ports { sctp . 9 : 10.199.0.2 . 9, tcp . 8080 : 10.199.0.2 . 80, "
        "udp . 53 : 10.199.0.3 . 53 }\n"
        "add element ip pwtext0 host_ports_at { 127.0.0.1 . tcp . 8081 : 10.199.0.2 . 80 }\n"
        "add element ip pwtext0 targets { 10.199.0.2 . sctp . 9, 10.199.0.2 . tcp . 80, 10.199.0.3 . udp . 53 }\n"
    )
    assert nft.publish(SCOPE, [BARE]) == ""


def test_nft_withdraw() -> None:
    assert nft.withdraw(SCOPE, [DNS]) == (
        "delete element ip pwtext0 host_ports { udp . 53 }\n"
        "delete element ip pwtext0 targets { 10.199.0.3 . udp . 53 }\n"
    )


def test_nft_withdraw_where() -> None:
    listing = {
        "nftables": [
            {"metainfo": {}},
            {
                "map": {
                    "name": "host_ports",
                    "elem": [
                        [{"concat": ["tcp", 1]}, {"concat": ["10.0.0.2", 1]}],
                        [{"concat": ["udp", 2]}, {"concat": ["10.0.0.3", 2]}],
                    ],
                }
            },
            {"map": {"name": "host_ports_at"}},
            {"set": {"name": "targets", "elem": [{"concat": ["10.0.0.2", "tcp", 1]}]}},
            {"set": {"name": "subnets", "elem": ["10.0.0.0"]}},
        ]
    }
    text = nft.withdraw_where(SCOPE, json.dumps(listing), lambda address: address == "10.0.0.2")
    assert text == (
        "delete element ip pwtext0 host_ports { tcp . 1 }\ndelete element ip pwtext0 targets { 10.0.0.2 . tcp . 1 }\n"
    )


@pytest.mark.parametrize("listing", ["", "{}", "[]", '{"nftables": [{"map": []}]}', '{"nftables": [{"map": {}}]}'])
def test_nft_listing_that_is_none(listing: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        nft.withdraw_where(SCOPE, listing, lambda _: True)


@pytest.mark.root
def test_nft_takes_it() -> None:
    """In nft's check mode, which changes nothing."""
    text = nft.setup(SCOPE) + nft.publish(SCOPE, [WEB, DNS]) + nft.withdraw(SCOPE, [WEB, DNS]) + nft.remove(SCOPE)
    subprocess.run(["nft", "-c", "-f", "-"], input=text.encode(), check=True)


def test_iptables_publish() -> None:
    match = "-s 10.199.0.0/24 -d 10.199.0.3 -p udp --dport 53"
    assert iptables.publish(SCOPE, [DNS, BARE]).splitlines() == [
        "*nat",
        ":PW-pw0ac70003-D - [0:0]",
        ":PW-pw0ac70003-M - [0:0]",
        "-A PW-pw0ac70003-D -p udp --dport 53 -j DNAT --to-destination 10.199.0.3:53",
        f"-A PW-pw0ac70003-M {match} -m conntrack --ctstate DNAT -j MASQUERADE",
        "-A PW-pwtext0-D -j PW-pw0ac70003-D",
        "-A PW-pwtext0-M -o pwtext0 -j PW-pw0ac70003-M",
        "COMMIT",
    ]
    assert "-I PW-pwtext0-D -j PW-pw0ac70002-D" in iptables.publish(SCOPE, [WEB])
    assert iptables.publish(SCOPE, [BARE]) == ""


def test_iptables_withdraw() -> None:
    assert iptables.withdraw(SCOPE, ["pw0ac70003"]).splitlines() == [
        "*nat",
        "-D PW-pwtext0-D -j PW-pw0ac70003-D",
        "-D PW-pwtext0-M -o pwtext0 -j PW-pw0ac70003-M",
        "-F PW-pw0ac70003-D",
        "-F PW-pw0ac70003-M",
        "-X PW-pw0ac70003-D",
        "-X PW-pw0ac70003-M",
        "COMMIT",
    ]
    assert iptables.withdraw(SCOPE, []) == ""


def test_iptables_listing() -> None:
    listing = (
        "-P INPUT ACCEPT\n-N PW-pwtext0-D\n-N PW-pwtext0-M\n"
        "-A PREROUTING -j PW-pwtext0-D\n-A PW-pwtext0-D -j PW-pw0ac70003-D\n"
    )
    assert iptables.exists(SCOPE, listing)
    assert not iptables.exists(Scope(bridge="pwtext01", subnet=SCOPE.subnet), listing)
    assert iptables.published_veths(SCOPE, listing) == {"pw0ac70003"}


def test_chain_names_fit_the_kernel() -> None:
    text = iptables.setup(Scope(bridge="b" * 15, subnet=SCOPE.subnet)) + iptables.publish(SCOPE, [WEB])
    names = [line.split()[0][1:] for line in text.splitlines() if line.startswith(":")]
    assert names
    assert max(map(len, names)) <= 28
