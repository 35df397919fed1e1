"""The kernel's notifications about the built-in bridge: whether another program removed something.

The kernel queues a notification before the call that caused the change returns. So reading the queue before attaching
a pod shows all earlier changes, and unchanged state need not be queried. `upkeep` reacts to changes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection

from podwright.runtime.network.netlink import codec, link_filter, notices
from podwright.runtime.network.netlink.codec import Message
from podwright.runtime.network.netlink.connection import (
    DATAGRAM_BYTES,
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    SOL_NETLINK,
)
from podwright.runtime.network.netlink.notices import Concern

NETLINK_ADD_MEMBERSHIP = 1
RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_NETCONF = 1, 5, 7, 24
NFNLGRP_NFTABLES = 7
SETTLE_S = 0.2  # programs change rules in bursts: read the queue once for all changes in this time
READS_LIMIT = 1000  # datagrams at once, so that a flood does not block the event loop


class Changes:
    """Used on one event loop. Listens in the network namespace of its thread."""

    def __init__(self, index: int, tables: Collection[str]) -> None:
        """Listen for changes of the bridge with this index and of these nftables tables. Raises OSError."""
        self.index = index
        self._tables = frozenset(tables)
        self._concern = Concern.NONE
        self._noticed = asyncio.Event()
        self._settling: dict[socket.socket, asyncio.TimerHandle] = {}
        self._decisions: dict[socket.socket, Callable[[Message], Concern]] = {}
        try:
            links = self._listen(NETLINK_ROUTE, lambda message: notices.concern_of_bridge(message, self.index))
            link_filter.attach(links, index)
            _join(links, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_NETCONF)
            if self._tables:
                rules = self._listen(
                    NETLINK_NETFILTER, lambda message: notices.concern_of_rules(message, self._tables)
                )
                _join(rules, NFNLGRP_NFTABLES)
        except BaseException:
            self.close()
            raise
        for sock in self._decisions:
            asyncio.get_running_loop().add_reader(sock, self._readable, sock)

    def look(self) -> Concern:
        """The most serious change since the last `take`. Never waits, and takes microseconds without a change."""
        for sock in self._decisions:
            self._read(sock)
        return self._concern

    def take(self) -> None:
        """Reset, before the state is queried from the kernel that all changes until now led to."""
        self.look()
        self._concern = Concern.NONE

    async def wait(self) -> None:
        """Return after a change that no earlier call returned for, and when the listener is closed."""
        await self._noticed.wait()
        self._noticed.clear()

    def close(self) -> None:
        """Stop listening."""
        for timer in self._settling.values():
            timer.cancel()
        for sock in self._decisions:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._decisions.clear()
        self._noticed.set()

    def _listen(self, family: int, decide: Callable[[Message], Concern]) -> socket.socket:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, family)
        self._decisions[sock] = decide
        sock.bind(
            (0, 0)
        )  # without a port number of its own the kernel takes it for the sender, who gets no notification
        return sock

    def _readable(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        self._settling[sock] = loop.call_later(SETTLE_S, self._settled, sock)

    def _settled(self, sock: socket.socket) -> None:
        del self._settling[sock]
        self._read(sock)
        asyncio.get_running_loop().add_reader(sock, self._readable, sock)

    def _read(self, sock: socket.socket) -> None:
        """Empty the queue. After an overflow (ENOBUFS) or another failure, anything may have changed."""
        for _ in range(READS_LIMIT):
            try:
                datagram = sock.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._note(Concern.NOW)
                return
            if self._concern < Concern.NOW:
                for message in codec.decode(datagram):
                    self._note(self._decisions[sock](message))

    def _note(self, concern: Concern) -> None:
        self._concern = max(self._concern, concern)
        if self._concern:
            self._noticed.set()


def _join(sock: socket.socket, *groups: int) -> None:
    for group in groups:
        sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
