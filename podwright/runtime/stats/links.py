"""Counters of network interfaces in pods, read from the kernel inside their network namespaces.

Entering namespaces spoils a thread for other work, so call `interfaces_of` in a thread that ends afterwards
(`network.threads`). It visits one namespace after the other, 40 µs each (measured). A socket kept in each namespace
would not be faster, and would keep the namespaces of removed pods alive.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable

from podwright.linux import libc
from podwright.linux.namespaces import CLONE_NEWNET
from podwright.runtime.model.usage import InterfaceUsage
from podwright.runtime.network.netlink import codec, requests
from podwright.runtime.network.netlink.codec import Message
from podwright.runtime.network.netlink.connection import NetlinkConnection

IFLA_STATS64 = 23
ARPHRD_LOOPBACK = 772
_KIND = struct.Struct("=H")
_COUNTERS = struct.Struct("=8Q")  # the first of struct rtnl_link_stats64


def interfaces_of(namespaces: Iterable[str]) -> dict[str, tuple[InterfaceUsage, ...]]:
    """The interfaces in each network namespace, by its path. Namespaces that disappear are left out. See above."""
    found: dict[str, tuple[InterfaceUsage, ...]] = {}
    for path in namespaces:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc.setns(fd, CLONE_NEWNET)
            finally:
                os.close(fd)
            with NetlinkConnection() as connection:
                found[path] = parse(connection.dump(requests.dump_links()))
    return found


def parse(messages: Iterable[Message]) -> tuple[InterfaceUsage, ...]:
    """The interfaces in RTM_NEWLINK messages, without the loopback."""
    return tuple(usage for message in messages if (usage := _interface(message)) is not None)


def _interface(message: Message) -> InterfaceUsage | None:
    body = message.body
    if message.kind != requests.RTM_NEWLINK or len(body) < 16 or _KIND.unpack_from(body, 2)[0] == ARPHRD_LOOPBACK:
        return None
    found = codec.attributes(body[16:])
    counters = found.get(IFLA_STATS64, b"")
    if len(counters) < _COUNTERS.size:
        return None
    numbers = _COUNTERS.unpack_from(counters)
    return InterfaceUsage(
        name=codec.string(found.get(requests.IFLA_IFNAME, b"")),
        rx_packets=numbers[0],
        tx_packets=numbers[1],
        rx_bytes=numbers[2],
        tx_bytes=numbers[3],
        rx_errors=numbers[4],
        tx_errors=numbers[5],
        rx_dropped=numbers[6],
        tx_dropped=numbers[7],
    )
