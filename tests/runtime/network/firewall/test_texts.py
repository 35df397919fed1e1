"""The rules as text, for nft and for iptables."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Network

import pytest

from podwright.runtime.model.sandbox import PortMapping, Protocol
from podwright.runtime.network.firewall import iptables, nft
from podwright.runtime.network.firewall.rules import Published, Scope, scope_of

SCOPE = Scope(bridge="pwtext0", subnets=(IPv4Network("10.199.0.0/24"),))
DIRECT = scope_of(
    "pwtext0", SCOPE.subnets, [IPv4Network("10.244.0.0/16"), IPv4Network("10.244.9.0/24"), IPv4Network("10.9.9.9/32")]
)
NOTHING = iptables.Listing(nat=frozenset(), raw=frozenset())
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
    subprocess.run(["nft", "-c", "-f", "-"], input=nft.setup(DIRECT).encode(), check=True)


def test_networks_that_see_pods_own_addresses() -> None:
    assert "add element ip pwtext0 direct { 10.9.9.9/32, 10.244.0.0/16 }\n" in nft.setup(DIRECT)
    assert "add element ip pwtext0 direct" not in nft.setup(SCOPE)
    found = {"set": {"name": "direct", "elem": ["10.9.9.9", {"prefix": {"addr": "10.244.0.0", "len": 16}}]}}
    with_them = {"nftables": [*LISTING["nftables"], found]}
    assert nft.lost(DIRECT, json.dumps(with_them), [DNS]) == ()
    assert nft.lost(DIRECT, json.dumps(LISTING), [DNS]) == (
        "the exception of 10.9.9.9/32 from masquerading",
        "the exception of 10.244.0.0/16 from masquerading",
    )
    rules = iptables.setup(DIRECT, NOTHING, []).splitlines()
    spared = rules.index("-A PW-pwtext0-M -s 10.199.0.0/24 -d 10.244.0.0/16 ! -o pwtext0 -j RETURN")
    assert spared < rules.index("-A PW-pwtext0-M -s 10.199.0.0/24 ! -o pwtext0 -j MASQUERADE")


LISTING = {
    "nftables": [
        {"metainfo": {}},
        {"table": {"name": "pwtext0"}},
        {"set": {"name": "subnets", "elem": [{"prefix": {"addr": "10.199.0.0", "len": 24}}]}},
        {"set": {"name": "targets", "elem": [{"concat": ["10.199.0.3", "udp", 53]}]}},
        {"map": {"name": "host_ports", "elem": [[{"concat": ["udp", 53]}, {"concat": ["10.199.0.3", 53]}]]}},
        {"map": {"name": "host_ports_at"}},
        {"chain": {"name": "to_pods"}},
        *({"chain": {"name": name, "hook": "x"}} for name in ("prerouting", "output", "postrouting", "guard")),
        *({"rule": {"chain": name}} for name in ("to_pods", "to_pods", "prerouting", "output", "guard")),
        *({"rule": {"chain": "postrouting"}} for _ in range(3)),
    ]
}


def test_nft_lost_nothing() -> None:
    assert nft.lost(SCOPE, json.dumps(LISTING), [DNS, BARE]) == ()


@pytest.mark.parametrize(
    ("without", "lost"),
    [
        ('{"rule": {"chain": "guard"}}', "rules of chain guard"),
        ('{"chain": {"name": "output", "hook": "x"}}', "rules of chain output"),
        ('{"prefix": {"addr": "10.199.0.0", "len": 24}}', "masquerading of 10.199.0.0/24"),
        ('{"concat": ["10.199.0.3", "udp", 53]}', "host ports of 10.199.0.3"),
        ('[{"concat": ["udp", 53]}, {"concat": ["10.199.0.3", 53]}]', "host ports of 10.199.0.3"),
    ],
)
def test_nft_lost(without: str, lost: str) -> None:
    text = json.dumps(LISTING).replace(f"{without}, ", "").replace(without, "")
    assert nft.lost(SCOPE, text, [DNS]) == (lost,)


def test_nft_lost_by_sleeping() -> None:
    text = json.dumps(LISTING).replace('{"table": {', '{"table": {"flags": "dormant", ')
    assert nft.lost(SCOPE, text, []) == ("table pwtext0 is dormant",)


@pytest.mark.parametrize("listing", ["", "[]", '{"nftables": [{"rule": {}}]}', '{"nftables": [{"set": []}]}'])
def test_nft_lost_in_a_listing_that_is_none(listing: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        nft.lost(SCOPE, listing, [])


def test_subnets_that_overlap_are_masqueraded_as_one() -> None:
    """nft refuses an interval inside another."""
    scope = scope_of("b", [IPv4Network("10.1.2.0/24"), IPv4Network("10.1.0.0/16"), IPv4Network("10.3.0.0/24")])
    assert "{ 10.1.0.0/16, 10.3.0.0/24 }" in nft.replace_subnets(scope)


def test_iptables_publish() -> None:
    match = "-s 10.199.0.0/24 -d 10.199.0.3/32 -p udp -m udp --dport 53"
    assert iptables.publish(SCOPE, [DNS, BARE]).splitlines() == [
        "*nat",
        ":PW-pw0ac70003-D - [0:0]",
        ":PW-pw0ac70003-M - [0:0]",
        "-A PW-pw0ac70003-D -p udp -m udp --dport 53 -j DNAT --to-destination 10.199.0.3:53",
        f"-A PW-pw0ac70003-M {match} -m conntrack --ctstate DNAT -j MASQUERADE",
        "-A PW-pwtext0-D -j PW-pw0ac70003-D",
        "-A PW-pwtext0-M -o pwtext0 -j PW-pw0ac70003-M",
        "COMMIT",
    ]
    assert "-I PW-pwtext0-D -j PW-pw0ac70002-D" in iptables.publish(SCOPE, [WEB])
    assert iptables.publish(SCOPE, [BARE]) == ""


def after(text: str) -> iptables.Listing:
    """What `iptables -S` lists after iptables-restore had this input, and nothing was there before."""
    found: dict[str, set[str]] = {"nat": set(), "raw": set()}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            found[table].add(f"-N {line[1:].split()[0]}")
        elif line.startswith("-"):
            found[table].add(line.replace("-I", "-A", 1))
    return iptables.Listing(nat=frozenset(found["nat"]), raw=frozenset(found["raw"]))


def without(listing: iptables.Listing, line: str) -> iptables.Listing:
    return iptables.Listing(nat=listing.nat - {line}, raw=listing.raw - {line})


def test_iptables_withdraw() -> None:
    there = after(iptables.setup(SCOPE, NOTHING, [DNS]))
    assert iptables.withdraw(SCOPE, there, ["pw0ac70003", "pw0ac70009"]).splitlines() == [
        "*nat",
        "-D PW-pwtext0-D -j PW-pw0ac70003-D",
        "-D PW-pwtext0-M -o pwtext0 -j PW-pw0ac70003-M",
        "-F PW-pw0ac70003-D",
        "-F PW-pw0ac70003-M",
        "-X PW-pw0ac70003-D",
        "-X PW-pw0ac70003-M",
        "COMMIT",
    ]
    assert iptables.withdraw(SCOPE, NOTHING, ["pw0ac70003"]) == ""


def test_iptables_lost() -> None:
    """Every line that goes is missed, and put back once."""
    there = after(iptables.setup(SCOPE, NOTHING, [WEB, DNS]))
    assert iptables.lost(SCOPE, there, [WEB, DNS, BARE]) == ()
    rules = [line for line in there.nat | there.raw if line.startswith("-A")]
    assert len(rules) > 10
    for line in rules:
        damaged = without(there, line)
        (lost,) = iptables.lost(SCOPE, damaged, [WEB, DNS])
        assert line in lost or lost.startswith("host ports of 10.199.0.")
        mended = iptables.setup(SCOPE, damaged, [WEB, DNS])
        assert mended.count(line.removeprefix("-A")) == 1


def test_iptables_setup_leaves_what_is_right() -> None:
    there = after(iptables.setup(SCOPE, NOTHING, []))
    again = iptables.setup(SCOPE, there, [])
    assert "PREROUTING" not in again  # a second jump would count twice


def test_iptables_setup_keeps_other_daemons_pods() -> None:
    there = after(iptables.setup(SCOPE, NOTHING, [WEB, DNS]))
    again = iptables.setup(SCOPE, without(there, "-A POSTROUTING -j PW-pwtext0-M"), [WEB])
    assert "-A PW-pwtext0-D -j PW-pw0ac70003-D" in again
    assert ":PW-pw0ac70003-D" not in again  # its rules are not ours to write
    assert iptables.published_veths(SCOPE, there) == {"pw0ac70002", "pw0ac70003"}


def test_iptables_remove() -> None:
    there = after(iptables.setup(SCOPE, NOTHING, []))
    text = iptables.remove(SCOPE, there)
    assert all(line.replace("-A", "-D", 1) in text for line in there.nat if "ROUTING" in line)
    assert text.count("-X ") == 3
    assert iptables.remove(SCOPE, NOTHING) == ""
    assert iptables.remove(Scope(bridge="pwtext01", subnets=SCOPE.subnets), there) == ""


def test_chain_names_fit_the_kernel() -> None:
    text = iptables.setup(Scope(bridge="b" * 15, subnets=SCOPE.subnets), NOTHING, [WEB])
    names = [line.split()[0][1:] for line in text.splitlines() if line.startswith(":")]
    assert names
    assert max(map(len, names)) <= 28
