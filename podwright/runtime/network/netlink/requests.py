"""The rtnetlink(7) messages that attach a pod, as data. Numbers are those of linux/if_link.h and linux/rtnetlink.h."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Interface

from podwright.runtime.network.netlink import codec
from podwright.runtime.network.netlink.codec import NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NetlinkRequest

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26

IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_NET_NS_FD = 18, 20, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE = 4  # "hairpin" in bridge(8)
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
RTA_PREFSRC = 7
RT_TABLE_MAIN, RTN_UNICAST = 254, 1
RTPROT_KERNEL, RTPROT_BOOT = 2, 3
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253

LOOPBACK_INDEX = 1


def create_bridge(name: str, *, mac: bytes, mtu: int) -> NetlinkRequest:
    """A bridge that is up. Its MAC is fixed. Otherwise it would follow those of its ports."""
    body = (
        _ifinfo(flags=IFF_UP, change=IFF_UP)
        + codec.text(IFLA_IFNAME, name)
        + codec.attribute(IFLA_ADDRESS, mac)
        + codec.number(IFLA_MTU, mtu)
        + codec.nested(IFLA_LINKINFO, codec.text(IFLA_INFO_KIND, "bridge"))
    )
    return NetlinkRequest(kind=RTM_NEWLINK, flags=_CREATE, body=body, label=f"create bridge {name}")


def create_veth(
    name: str, *, bridge_index: int, mtu: int, peer: str, peer_mac: bytes, netns_fd: int
) -> NetlinkRequest:
    """A veth on the bridge that is up, and its peer in the netns. The peer is down until the pair exists."""
    peer_attributes = (
        _ifinfo()
        + codec.text(IFLA_IFNAME, peer)
        + codec.attribute(IFLA_ADDRESS, peer_mac)
        + codec.number(IFLA_MTU, mtu)
        + codec.number(IFLA_NET_NS_FD, netns_fd)
    )
    pair = codec.nested(IFLA_INFO_DATA, codec.nested(VETH_INFO_PEER, peer_attributes))
    body = (
        _ifinfo(flags=IFF_UP, change=IFF_UP)
        + codec.text(IFLA_IFNAME, name)
        + codec.number(IFLA_MTU, mtu)
        + codec.number(IFLA_MASTER, bridge_index)
        + codec.nested(IFLA_LINKINFO, codec.text(IFLA_INFO_KIND, "veth"), pair)
    )
    return NetlinkRequest(kind=RTM_NEWLINK, flags=_CREATE, body=body, label=f"create veth {name}")


def set_alias(name: str, alias: str) -> NetlinkRequest:
    """The free text of a link (`ip link` shows it), at most 255 bytes."""
    body = _ifinfo() + codec.text(IFLA_IFNAME, name) + codec.attribute(IFLA_IFALIAS, alias.encode())
    return NetlinkRequest(kind=RTM_NEWLINK, flags=NLM_F_ACK, body=body, label=f"set alias of {name}")


def set_hairpin(name: str) -> NetlinkRequest:
    """Let a bridge port send frames back, so that a pod can reach itself through a service address."""
    mode = codec.nested(IFLA_INFO_SLAVE_DATA, codec.attribute(IFLA_BRPORT_MODE, b"\1"))
    info = codec.nested(IFLA_LINKINFO, codec.text(IFLA_INFO_SLAVE_KIND, "bridge"), mode)
    body = _ifinfo() + codec.text(IFLA_IFNAME, name) + info
    return NetlinkRequest(kind=RTM_NEWLINK, flags=NLM_F_ACK, body=body, label=f"set hairpin on {name}")


def set_up(index: int) -> NetlinkRequest:
    """Bring a link up."""
    body = _ifinfo(index=index, flags=IFF_UP, change=IFF_UP)
    return NetlinkRequest(kind=RTM_NEWLINK, flags=NLM_F_ACK, body=body, label=f"bring up link {index}")


def set_master(name: str, bridge_index: int) -> NetlinkRequest:
    """Attach a link to a bridge."""
    body = _ifinfo() + codec.text(IFLA_IFNAME, name) + codec.number(IFLA_MASTER, bridge_index)
    return NetlinkRequest(kind=RTM_NEWLINK, flags=NLM_F_ACK, body=body, label=f"plug {name} into the bridge")


def set_down(name: str) -> NetlinkRequest:
    """Set a link down."""
    body = _ifinfo(change=IFF_UP) + codec.text(IFLA_IFNAME, name)
    return NetlinkRequest(kind=RTM_NEWLINK, flags=NLM_F_ACK, body=body, label=f"take down {name}")


def delete_link(name: str) -> NetlinkRequest:
    """Delete a link. For a veth, both ends."""
    body = _ifinfo() + codec.text(IFLA_IFNAME, name)
    return NetlinkRequest(kind=RTM_DELLINK, flags=NLM_F_ACK, body=body, label=f"delete {name}")


def add_address(index: int, interface: IPv4Interface) -> NetlinkRequest:
    """Add an address with its prefix, which also adds the route to its subnet."""
    body = (
        struct.pack("=BBBBI", socket.AF_INET, interface.network.prefixlen, 0, 0, index)
        + codec.attribute(IFA_LOCAL, interface.ip.packed)
        + codec.attribute(IFA_ADDRESS, interface.ip.packed)
        + codec.attribute(IFA_BROADCAST, interface.network.broadcast_address.packed)
    )
    return NetlinkRequest(kind=RTM_NEWADDR, flags=_CREATE, body=body, label=f"add address {interface}")


def delete_address(index: int, interface: IPv4Interface) -> NetlinkRequest:
    """Remove an address, and with it the route to its subnet."""
    body = struct.pack("=BBBBI", socket.AF_INET, interface.network.prefixlen, 0, 0, index) + codec.attribute(
        IFA_LOCAL, interface.ip.packed
    )
    return NetlinkRequest(kind=RTM_DELADDR, flags=NLM_F_ACK, body=body, label=f"delete address {interface}")


def add_subnet_route(index: int, interface: IPv4Interface) -> NetlinkRequest:
    """The route to an address's subnet, as the kernel adds it with the address."""
    network = interface.network
    kind = struct.pack(
        "=BBBBBBBBI",
        socket.AF_INET,
        network.prefixlen,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_KERNEL,
        RT_SCOPE_LINK,
        RTN_UNICAST,
        0,
    )
    body = (
        kind
        + codec.attribute(RTA_DST, network.network_address.packed)
        + codec.attribute(RTA_PREFSRC, interface.ip.packed)
        + codec.number(RTA_OIF, index)
    )
    return NetlinkRequest(kind=RTM_NEWROUTE, flags=_CREATE, body=body, label=f"add route to {network}")


def add_default_route(index: int, gateway: IPv4Address) -> NetlinkRequest:
    """The default route."""
    kind = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    )
    body = kind + codec.attribute(RTA_GATEWAY, gateway.packed) + codec.number(RTA_OIF, index)
    return NetlinkRequest(kind=RTM_NEWROUTE, flags=_CREATE, body=body, label=f"add default route via {gateway}")


def dump_links() -> NetlinkRequest:
    """All links."""
    return NetlinkRequest(kind=RTM_GETLINK, flags=NLM_F_DUMP, body=_ifinfo(), label="list links")


def dump_addresses() -> NetlinkRequest:
    """All IPv4 addresses."""
    body = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
    return NetlinkRequest(kind=RTM_GETADDR, flags=NLM_F_DUMP, body=body, label="list addresses")


def dump_routes() -> NetlinkRequest:
    """All IPv4 routes."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, *[0] * 8)
    return NetlinkRequest(kind=RTM_GETROUTE, flags=NLM_F_DUMP, body=body, label="list routes")


_CREATE = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL


def _ifinfo(*, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)
