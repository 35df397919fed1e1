"""Our messages, judged by iproute2: what `ip -j` shows is what was asked for."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import pytest

from podwright.linux import namespaces
from podwright.runtime.network.netlink import requests
from podwright.runtime.network.netlink.codec import NetlinkRequest
from podwright.runtime.network.netlink.connection import NetlinkConnection
from podwright.runtime.network.netlink.replies import Route

pytestmark = pytest.mark.root
Result = TypeVar("Result")
MAC = b"\x0a\x58\x0a\x01\x02\x03"


@pytest.fixture
def netns(tmp_path: Path) -> Iterator[str]:
    """An empty network namespace to play host in."""
    path = str(tmp_path / "netns")
    namespaces.create_pinned({"net": path}, lambda: None)
    yield path
    namespaces.unpin(path)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[str]:
    """Another one, for the far ends."""
    path = str(tmp_path / "peer")
    namespaces.create_pinned({"net": path}, lambda: None)
    yield path
    namespaces.unpin(path)


def ip(netns: str, *arguments: str) -> list[dict[str, Any]]:
    argv = ["nsenter", f"--net={netns}", "ip", "-j", "-d", *arguments]
    found: list[dict[str, Any]] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout or b"[]")
    return found


def talk(netns: str, work: Callable[[NetlinkConnection], Result]) -> Result:
    def inside() -> Result:
        with NetlinkConnection() as connection:
            return work(connection)

    return namespaces.run_in(netns, "net", inside)


def make_bridge(netns: str) -> int:
    talk(netns, lambda net: net.perform(requests.create_bridge("br0", mac=MAC, mtu=1400)))
    return int(ip(netns, "link", "show", "br0")[0]["ifindex"])


def test_bridge(netns: str) -> None:
    index = make_bridge(netns)
    talk(netns, lambda net: net.perform(requests.add_address(index, IPv4Interface("10.1.2.1/24"))))
    (link,) = ip(netns, "address", "show", "br0")
    assert (link["linkinfo"]["info_kind"], link["mtu"], link["address"]) == ("bridge", 1400, "0a:58:0a:01:02:03")
    assert "UP" in link["flags"]
    (inet,) = [entry for entry in link["addr_info"] if entry["family"] == "inet"]
    assert (inet["local"], inet["prefixlen"], inet["broadcast"]) == ("10.1.2.1", 24, "10.1.2.255")


def test_veth(netns: str, peer: str) -> None:
    index = make_bridge(netns)
    fd = os.open(peer, os.O_RDONLY)
    veth = requests.create_veth("pw1", bridge_index=index, mtu=1400, peer="eth0", peer_mac=MAC, netns_fd=fd)
    talk(netns, lambda net: net.perform(veth))
    os.close(fd)
    talk(netns, lambda net: net.perform(requests.set_alias("pw1", "a pod"), requests.set_hairpin("pw1")))
    (near,) = ip(netns, "link", "show", "pw1")
    assert (near["linkinfo"]["info_kind"], near["master"], near["mtu"], near["ifalias"]) == (
        "veth",
        "br0",
        1400,
        "a pod",
    )
    assert near["linkinfo"]["info_slave_data"]["hairpin"] is True
    assert "UP" in near["flags"]
    (far,) = ip(peer, "link", "show", "eth0")
    assert (far["address"], far["mtu"]) == ("0a:58:0a:01:02:03", 1400)
    assert "UP" not in far["flags"]

    number = far["ifindex"]
    talk(
        peer,
        lambda net: net.perform(
            requests.set_up(requests.LOOPBACK_INDEX),
            requests.set_up(number),
            requests.add_address(number, IPv4Interface("10.1.2.3/24")),
            requests.add_default_route(number, IPv4Address("10.1.2.1")),
        ),
    )
    (default,) = [route for route in ip(peer, "route") if route["dst"] == "default"]
    assert (default["gateway"], default["dev"]) == ("10.1.2.1", "eth0")
    assert "UP" in ip(peer, "link", "show", "lo")[0]["flags"]

    talk(netns, lambda net: net.perform(requests.set_down("pw1")))
    assert "UP" not in ip(netns, "link", "show", "pw1")[0]["flags"]
    talk(netns, lambda net: net.perform(requests.delete_link("pw1")))
    assert [link["ifname"] for link in ip(peer, "link")] == ["lo"]


def test_dumps(netns: str) -> None:
    index = make_bridge(netns)
    talk(netns, lambda net: net.perform(requests.add_address(index, IPv4Interface("10.1.2.1/24"))))
    for route in ("default via 10.1.2.9", "192.0.2.0/25 via 10.1.2.9", "blackhole 198.51.100.0/24"):
        subprocess.run(["nsenter", f"--net={netns}", "ip", "route", "add", *route.split()], check=True)
    links = {link.name: link for link in talk(netns, lambda net: net.links())}
    assert (links["br0"].index, links["br0"].kind, links["br0"].mtu_bytes) == (index, "bridge", 1400)
    routes = talk(netns, lambda net: net.routes())
    assert sorted(routes, key=lambda route: route.destination) == [
        Route(destination=IPv4Network("0.0.0.0/0"), link=index),
        Route(destination=IPv4Network("10.1.2.0/24"), link=index),
        Route(destination=IPv4Network("192.0.2.0/25"), link=index),
    ]


def test_many_links(netns: str) -> None:
    """More than one datagram of answers."""
    for number in range(60):
        talk(netns, lambda net, name=f"b{number}": net.perform(requests.create_bridge(name, mac=MAC, mtu=1500)))  # type: ignore[misc] # mypy: a lambda's default
    assert len(talk(netns, lambda net: net.links())) == 61


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (requests.delete_link("nowhere"), errno.ENODEV),
        (requests.set_down("nowhere"), errno.ENODEV),
        (requests.create_bridge("br0", mac=MAC, mtu=1500), errno.EEXIST),
        (requests.create_bridge("far-too-long-a-name", mac=MAC, mtu=1500), errno.ERANGE),
        (requests.add_default_route(1, IPv4Address("192.0.2.1")), errno.ENETUNREACH),
    ],
)
def test_errors_name_the_request(netns: str, request_: NetlinkRequest, code: int) -> None:
    make_bridge(netns)
    with pytest.raises(OSError, match=r".") as caught:
        talk(netns, lambda net: net.perform(request_))
    assert caught.value.errno in (code, errno.EINVAL)
    assert caught.value.filename == request_.label
