"""Counters of interfaces: messages as the kernel sends them, and real namespaces."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux import namespaces
from podwright.runtime.model.usage import InterfaceUsage
from podwright.runtime.network.netlink import codec, requests
from podwright.runtime.network.netlink.codec import Message
from podwright.runtime.network.netlink.connection import NetlinkConnection
from podwright.runtime.stats import links
from podwright.runtime.stats.links import ARPHRD_LOOPBACK, IFLA_STATS64

ETHER = 1
COUNTERS = struct.pack("=24Q", *range(101, 125))


def _message(name: str, kind: int = ETHER, counters: bytes = COUNTERS) -> Message:
    body = struct.pack("=BxHiII", 0, kind, 2, 0, 0) + codec.text(requests.IFLA_IFNAME, name)
    return Message(kind=requests.RTM_NEWLINK, flags=0, sequence=1, body=body + codec.attribute(IFLA_STATS64, counters))


def test_counters() -> None:
    assert links.parse([_message("lo", ARPHRD_LOOPBACK), _message("eth0")]) == (
        InterfaceUsage(
            name="eth0",
            rx_packets=101,
            tx_packets=102,
            rx_bytes=103,
            tx_bytes=104,
            rx_errors=105,
            tx_errors=106,
            rx_dropped=107,
            tx_dropped=108,
        ),
    )


def test_a_link_without_counters_is_left_out() -> None:
    assert links.parse([_message("eth0", counters=b"1234")]) == ()


@given(st.binary(max_size=300), st.sampled_from([requests.RTM_NEWLINK, requests.RTM_DELLINK]))
def test_garbage_raises_nothing(body: bytes, kind: int) -> None:
    links.parse([Message(kind=kind, flags=0, sequence=1, body=body)])


@pytest.mark.root
def test_real_namespaces(tmp_path: Path) -> None:
    pins = {name: str(tmp_path / name) for name in ("bare", "bridged")}

    def bridge() -> None:
        with NetlinkConnection() as connection:
            connection.perform(requests.create_bridge("br7", mac=b"\x02\0\0\0\0\7", mtu=1500))

    try:
        namespaces.create_pinned({"net": pins["bare"]}, lambda: None)
        namespaces.create_pinned({"net": pins["bridged"]}, bridge)
        wanted = [pins["bridged"], str(tmp_path / "gone"), str(Path(__file__)), pins["bare"]]
        found = namespaces.in_thread(lambda: links.interfaces_of(wanted))
    finally:
        for path in pins.values():
            namespaces.unpin(path)
    assert set(found) == set(pins.values())
    assert "br7" in {each.name for each in found[pins["bridged"]]}
    assert "lo" not in {each.name for each in found[pins["bridged"]] + found[pins["bare"]]}
    assert "br7" not in {each.name for each in found[pins["bare"]]}
