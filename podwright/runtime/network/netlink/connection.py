"""A netlink socket: sends batches, collects acknowledgements and dumps.

It belongs to the network namespace of the thread that opens it. Calls block, at worst for the holder of the RTNL
lock, so make them in a worker thread.
"""

from __future__ import annotations

import socket

from podwright.runtime.network.netlink import codec
from podwright.runtime.network.netlink.codec import NLMSG_DONE, NLMSG_ERROR, Message, NetlinkRequest
from podwright.runtime.network.netlink.replies import (
    InterfaceAddress,
    NetworkInterface,
    Route,
    parse_address,
    parse_link,
    parse_route,
)
from podwright.runtime.network.netlink.requests import dump_addresses, dump_links, dump_routes

SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
REPLY_TIMEOUT_S = 10.0
DATAGRAM_BYTES = 65536


class NetlinkConnection:
    """Use as a context manager. Every call raises OSError, including TimeoutError."""

    def __init__(self, family: int = NETLINK_ROUTE) -> None:
        """Open it in the calling thread's network namespace."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self._socket.settimeout(REPLY_TIMEOUT_S)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._sequence = 0

    def __enter__(self) -> NetlinkConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def perform(self, *requests: NetlinkRequest) -> None:
        """Send all requests in one datagram and wait for all answers.

        After a failure the kernel still executes the rest of a batch, so batch only what is harmless then. The first
        failure is raised, with the request's label as its `filename`.
        """
        waiting = {self._sequence + offset: request for offset, request in enumerate(requests, start=1)}
        self._sequence += len(requests)
        self._socket.send(b"".join(codec.encode(request, number) for number, request in waiting.items()))
        failures: list[OSError] = []
        while waiting:
            for message in codec.decode(self._socket.recv(DATAGRAM_BYTES)):
                if message.kind == NLMSG_ERROR and (request := waiting.pop(message.sequence, None)) is not None:
                    failure = codec.acknowledgement(message)
                    if failure is not None:
                        failures.append(OSError(failure.errno, failure.strerror, request.label))
        if failures:
            raise failures[0]

    def dump(self, request: NetlinkRequest) -> list[Message]:
        """All messages of a dump request."""
        self._sequence += 1
        self._socket.send(codec.encode(request, self._sequence))
        found: list[Message] = []
        while True:
            for message in codec.decode(self._socket.recv(DATAGRAM_BYTES)):
                if message.sequence != self._sequence:
                    continue
                if message.kind == NLMSG_DONE:
                    return found
                if message.kind == NLMSG_ERROR:
                    raise codec.acknowledgement(message) or OSError(
                        0, "the dump ended without NLMSG_DONE", request.label
                    )
                found.append(message)

    def links(self) -> list[NetworkInterface]:
        """Every network interface."""
        return [parse_link(message) for message in self.dump(dump_links())]

    def addresses(self) -> list[InterfaceAddress]:
        """Every IPv4 address."""
        return [found for message in self.dump(dump_addresses()) if (found := parse_address(message)) is not None]

    def routes(self) -> list[Route]:
        """Every IPv4 unicast route of the main table."""
        return [route for message in self.dump(dump_routes()) if (route := parse_route(message)) is not None]
