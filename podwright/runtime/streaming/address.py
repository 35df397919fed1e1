"""The address of the streaming server, for listening and for URLs. Pure, except for asking the kernel for a route."""

from __future__ import annotations

import ipaddress
import socket

import msgspec

from podwright.errors import InvalidArgument

ANYWHERE = {
    socket.AF_INET: ("192.0.2.1", 9),
    socket.AF_INET6: ("2001:db8::1", 9),
}  # addresses for documentation (RFC 5737, 3849), to ask for a route


class ListenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An IP address and a port. Port 0 means any free port."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """The socket's family."""
        return socket.AF_INET6 if ipaddress.ip_address(self.host).version == 6 else socket.AF_INET

    @property
    def is_loopback(self) -> bool:
        """Whether only processes on this host can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        """The form for URLs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> ListenAddress:
    """`IP:PORT`, with brackets around an IPv6 address. Raises InvalidArgument."""
    host, colon, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        if colon and port.isascii() and port.isdigit() and int(port) <= 65535:
            return ListenAddress(host=str(address), port=int(port))
    except ValueError:
        pass
    raise InvalidArgument(f"streaming.address {text!r} is not IP:PORT", hint="use for example 127.0.0.1:0")


def reachable(address: ListenAddress) -> ListenAddress:
    """The address for a client on another host. For a wildcard, this host's address on its default route."""
    if not ipaddress.ip_address(address.host).is_unspecified:
        return address
    with socket.socket(address.family, socket.SOCK_DGRAM) as probe:  # connecting a datagram socket sends nothing
        try:
            probe.connect(ANYWHERE[address.family])
            host = probe.getsockname()[0]
        except OSError:
            host = "::1" if address.family is socket.AF_INET6 else "127.0.0.1"
    return ListenAddress(host=host, port=address.port)
