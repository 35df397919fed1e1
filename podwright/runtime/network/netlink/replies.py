"""The kernel's link, address and route messages as frozen data."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import msgspec

from podwright.runtime.network.netlink import codec, requests
from podwright.runtime.network.netlink.codec import Message


class NetworkInterface(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface.

    `kind` is "bridge", "veth", ... `master` is the index of its bridge, or 0.
    """

    index: int
    name: str
    kind: str
    alias: str
    master: int
    mtu_bytes: int
    mac: bytes = b""
    up: bool = True


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An IPv4 route of the main table. `link` is the index of its interface, or 0 if it has several or none."""

    destination: IPv4Network
    link: int


class InterfaceAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An IPv4 address with its prefix length. `link` is the index of its interface."""

    interface: IPv4Interface
    link: int


def parse_link(message: Message) -> NetworkInterface:
    """A link from an RTM_NEWLINK message."""
    index, flags = struct.unpack_from("=iI", message.body, 4)
    found = codec.attributes(message.body[16:])
    info = codec.attributes(found.get(requests.IFLA_LINKINFO, b""))
    return NetworkInterface(
        index=index,
        name=codec.string(found.get(requests.IFLA_IFNAME, b"")),
        kind=codec.string(info.get(requests.IFLA_INFO_KIND, b"")),
        alias=codec.string(found.get(requests.IFLA_IFALIAS, b"")),
        master=_number(found.get(requests.IFLA_MASTER)),
        mtu_bytes=_number(found.get(requests.IFLA_MTU)),
        mac=found.get(requests.IFLA_ADDRESS, b""),
        up=bool(flags & requests.IFF_UP),
    )


def parse_address(message: Message) -> InterfaceAddress | None:
    """An address from an RTM_NEWADDR message, or None if it is not IPv4."""
    family, prefix_length = message.body[:2]
    (index,) = struct.unpack_from("=I", message.body, 4)
    local = codec.attributes(message.body[8:]).get(requests.IFA_LOCAL, b"")
    if family != socket.AF_INET or len(local) != 4:
        return None
    return InterfaceAddress(interface=IPv4Interface((IPv4Address(local), prefix_length)), link=index)


def parse_route(message: Message) -> Route | None:
    """A route from an RTM_NEWROUTE message, or None if it is not a unicast route of the main table."""
    prefix_length, table, kind = message.body[1], message.body[4], message.body[7]
    found = codec.attributes(message.body[12:])
    if (_number(found.get(requests.RTA_TABLE)) or table) != requests.RT_TABLE_MAIN or kind != requests.RTN_UNICAST:
        return None
    destination = found.get(requests.RTA_DST, b"\0\0\0\0")
    return Route(
        destination=IPv4Network((destination, prefix_length)),
        link=_number(found.get(requests.RTA_OIF)),
    )


def _number(value: bytes | None) -> int:
    return int(struct.unpack("=I", value)[0]) if value is not None and len(value) == 4 else 0
