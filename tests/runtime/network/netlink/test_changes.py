"""Which changes the kernel notifies of, judged by iproute2, sysctl and nft in a namespace of the test's own."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.conformance.patience import patient
from podwright.runtime.network.netlink import notices
from podwright.runtime.network.netlink.changes import Changes
from podwright.runtime.network.netlink.codec import Message
from podwright.runtime.network.netlink.notices import Concern
from tests.runtime.network.pods import on_host

NOW, LATER, NONE = Concern.NOW, Concern.LATER, Concern.NONE
SETUP = """
add table ip ours
add table ip theirs
add table ip6 ours
add chain ip ours c
add rule ip ours c accept
add chain ip theirs c
add rule ip theirs c accept
add set ip ours s { type ipv4_addr; }
add element ip ours s { 192.0.2.1 }
"""


@pytest.fixture
def bridge() -> int:
    """The number of a bridge named ours0, on a host of the test's own with rules."""
    on_host("ip", "link", "add", "ours0", "up", "type", "bridge")
    on_host("ip", "link", "add", "theirs0", "up", "type", "veth")
    for name, number in (("ours0", 1), ("theirs0", 2)):
        on_host("ip", "address", "add", f"192.0.{number}.1/24", "dev", name)
    on_host("sysctl", "-qw", "net.ipv4.ip_forward=1")
    for line in SETUP.strip().splitlines():
        on_host("nft", line)
    return socket.if_nametoindex("ours0")


@pytest.mark.root
@pytest.mark.usefixtures("own_host")
@pytest.mark.parametrize(
    ("line", "concern"),
    [
        ("ip link delete ours0", NOW),
        ("ip link set ours0 down", NOW),
        ("ip address delete 192.0.1.1/24 dev ours0", NOW),
        ("ip route delete 192.0.1.0/24", NOW),
        ("sysctl -qw net.ipv4.ip_forward=0", NOW),
        ("sysctl -qw net.ipv4.conf.ours0.forwarding=0", NOW),
        ("nft flush ruleset", NOW),
        ("nft delete table ip ours", NOW),
        ("nft flush chain ip ours c", NOW),
        ("nft add table ip ours { flags dormant; }", NOW),
        ("nft flush set ip ours s", LATER),
        ("ip link set ours0 alias x", NONE),
        ("ip address add 192.0.3.1/24 dev ours0", NONE),
        ("ip link set theirs0 master ours0", NONE),
        ("ip link set theirs0 down", NONE),
        ("ip link delete theirs0", NONE),
        ("ip address flush dev theirs0", NONE),
        ("ip route delete 192.0.2.0/24", NONE),
        ("sysctl -qw net.ipv4.conf.theirs0.forwarding=0", NONE),
        ("nft delete table ip theirs", NONE),
        ("nft delete table ip6 ours", NONE),
        ("nft add chain ip ours d", NONE),
        ("nft add element ip ours s { 192.0.2.2 }", NONE),
    ],
)
async def test_what_concerns_us(bridge: int, line: str, concern: Concern) -> None:
    changes = Changes(bridge, {"ours"})
    try:
        assert changes.look() == NONE
        on_host(*line.split())
        assert changes.look() == concern
        assert changes.look() == concern  # until it is taken
        changes.take()
        assert changes.look() == NONE
    finally:
        changes.close()


@pytest.mark.root
@pytest.mark.usefixtures("own_host")
async def test_waiting(bridge: int) -> None:
    changes = Changes(bridge, {"ours"})
    waiting = asyncio.create_task(changes.wait())
    on_host("nft", "delete", "table", "ip", "theirs")
    await asyncio.sleep(0.5)
    assert not waiting.done()
    on_host("nft", "delete", "table", "ip", "ours")
    await asyncio.wait_for(waiting, patient(60.0))
    waiting = asyncio.create_task(changes.wait())
    await asyncio.sleep(0)
    changes.close()
    await asyncio.wait_for(waiting, patient(60.0))


@pytest.mark.root
@pytest.mark.usefixtures("own_host")
async def test_more_than_the_kernel_queues(bridge: int) -> None:
    """What overflowed may have been ours."""
    changes = Changes(bridge, {"ours"})
    many = ", ".join(f"10.{number >> 8}.{number & 255}.1" for number in range(20000))
    on_host("nft", "add set ip theirs s { type ipv4_addr; }")
    on_host("nft", f"add element ip theirs s {{ {many} }}"[:120000].rpartition(",")[0] + " }")
    for _ in range(10):
        on_host("nft", "flush set ip theirs s")
        on_host("nft", f"add element ip theirs s {{ {many} }}"[:120000].rpartition(",")[0] + " }")
    assert changes.look() == NOW
    changes.close()


@given(st.integers(0, 0xFFFF), st.binary(max_size=64))
def test_any_message_is_judged(kind: int, body: bytes) -> None:
    message = Message(kind=kind, flags=0, sequence=0, body=body)
    assert notices.concern_of_bridge(message, 7) in Concern
    assert notices.concern_of_rules(message, {"ours"}) in Concern


@given(st.sampled_from([16, 17, 21, 25, 80, 0xA00, 0xA02, 0xA08, 0xA0E]), st.binary(max_size=64))
def test_any_body_is_judged(kind: int, body: bytes) -> None:
    message = Message(kind=kind, flags=0, sequence=0, body=body)
    assert notices.concern_of_bridge(message, 7) in Concern
    assert notices.concern_of_rules(message, {"ours"}) in Concern
