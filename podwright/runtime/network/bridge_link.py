"""The link, addresses, routes and kernel settings of the built-in bridge: reads, compares and creates them.

Everything that is not pure blocks, and runs in a thread of its own (`threads`). `upkeep` decides when.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from ipaddress import IPv4Interface

import msgspec

from podwright.errors import FailedPrecondition, Internal
from podwright.runtime.network.ipam import veth_address
from podwright.runtime.network.links import index_of, mac_for, unless_gone
from podwright.runtime.network.netlink import requests
from podwright.runtime.network.netlink.codec import NetlinkRequest
from podwright.runtime.network.netlink.connection import NetlinkConnection
from podwright.runtime.network.netlink.replies import InterfaceAddress, NetworkInterface, Route

BRIDGE_ALIAS = "made by podwright"  # marks a bridge as ours, so that we never delete an administrator's
DEFAULT_MTU_BYTES = 1500


class BridgeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The bridge as it must be.

    `gateway` is its address for new pods. `kept` are its addresses in subnets that only older pods use. `veths` are
    the links of attached pods. `mtu_bytes` 0 means the MTU of the default route.
    """

    name: str
    gateway: IPv4Interface
    kept: tuple[IPv4Interface, ...] = ()
    veths: frozenset[str] = frozenset()
    mtu_bytes: int

    @property
    def addresses(self) -> tuple[IPv4Interface, ...]:
        """All addresses that the bridge must have."""
        return (self.gateway, *self.kept)


class HostLinks(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's state. `off` are settings below /proc/sys/net/ipv4 that must be 1 and are not."""

    links: list[NetworkInterface]
    routes: list[Route]
    addresses: list[InterfaceAddress]
    off: tuple[str, ...]


class BridgeState(msgspec.Struct, frozen=True, kw_only=True):
    """The bridge's state: its index, its MTU for new pods, and the names of attached links."""

    index: int
    mtu_bytes: int
    ports: frozenset[str]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What the bridge lacks."""

    link: bool = False
    up: bool = False
    addresses: tuple[IPv4Interface, ...] = ()
    routes: tuple[IPv4Interface, ...] = ()
    veths: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def described(self, name: str) -> tuple[str, ...]:
        """A description for messages."""
        if self.link:
            return (f"bridge {name}",)
        return (
            *((f"bridge {name} is down",) if self.up else ()),
            *(f"address {interface} of {name}" for interface in self.addresses),
            *(f"route to {interface.network} by {name}" for interface in self.routes),
            *(f"{veth} on {name}" for veth in self.veths),
            *(f"net.ipv4.{setting.replace('/', '.')} is off" for setting in self.settings),
        )


def find_overlap(spec: BridgeSpec, links: list[NetworkInterface], routes: list[Route]) -> str:
    """A description of the route that already leads to (part of) the bridge's subnet, or "". Pure.

    The links must be read after the routes. Then a route without a listed link went away with its link, while a
    bridge that another daemon is creating is listed by its name.
    """
    names = {link.index: link.name for link in links}
    for route in routes:
        own = names.get(route.link) == spec.name
        gone = route.link > 0 and route.link not in names
        if own or gone or route.destination.prefixlen == 0:
            continue
        if route.destination.overlaps(spec.gateway.network):
            return f"{route.destination} dev {names.get(route.link, '?')}"
    return ""


def find_missing(spec: BridgeSpec, found: HostLinks) -> Missing:
    """What must be created. Pure."""
    bridge = _bridge(spec, found)
    if bridge is None:
        return Missing(link=True)
    addresses = {address.interface for address in found.addresses if address.link == bridge.index}
    routes = {route.destination for route in found.routes if route.link == bridge.index}
    # The kernel deletes routes with the address or when the link goes down, and restores them with it.
    return Missing(
        up=not bridge.up,
        addresses=tuple(interface for interface in spec.addresses if interface not in addresses),
        routes=tuple(
            interface
            for interface in spec.addresses
            if bridge.up and interface in addresses and interface.network not in routes
        ),
        veths=tuple(link.name for link in found.links if link.name in spec.veths and link.master != bridge.index),
        settings=found.off,
    )


def choose_mtu(spec: BridgeSpec, found: HostLinks) -> int:
    """The configured MTU, otherwise that of the default route's link, otherwise Ethernet's. Pure."""
    default = next((route.link for route in found.routes if route.destination.prefixlen == 0), 0)
    mtu_bytes = next((link.mtu_bytes for link in found.links if link.index == default), 0)
    return spec.mtu_bytes or mtu_bytes or DEFAULT_MTU_BYTES


def look(spec: BridgeSpec) -> HostLinks:
    """The current state. Raises OSError."""
    with NetlinkConnection() as host:
        routes, addresses, links = host.routes(), host.addresses(), host.links()
    off = tuple(setting for setting in _settings(spec) if not is_on(setting))
    return HostLinks(links=links, routes=routes, addresses=addresses, off=off)


def check_overlap(spec: BridgeSpec) -> None:
    """Raises FailedPrecondition if something else uses the subnet."""
    with NetlinkConnection() as host:
        routes, links = host.routes(), host.links()
    _refuse_overlap(spec, links, routes)


def state_of(spec: BridgeSpec, found: HostLinks) -> BridgeState | None:
    """The state of the bridge, or None if it does not exist. Pure."""
    bridge = _bridge(spec, found)
    if bridge is None:
        return None
    ports = frozenset(link.name for link in found.links if link.master == bridge.index)
    return BridgeState(index=bridge.index, mtu_bytes=choose_mtu(spec, found), ports=ports)


def ensure_bridge(spec: BridgeSpec) -> BridgeState:
    """Create or repair the bridge. Raises FailedPrecondition for a foreign subnet or name, and OSError."""
    found = look(spec)
    _refuse_overlap(spec, found.links, found.routes)
    with NetlinkConnection() as host:
        bridge = _bridge(spec, found)
        if bridge is None:
            _create_bridge(host, spec, choose_mtu(spec, found))
        elif bridge.kind != "bridge":
            raise FailedPrecondition(f"{spec.name} is not a bridge", hint="set [network] bridge to another name")
        elif _is_unmarked(bridge, spec):
            host.perform(requests.set_alias(spec.name, BRIDGE_ALIAS))
        index = socket.if_nametoindex(spec.name)
        host.perform(requests.set_up(index))
        found = look(spec)  # with the link up, the kernel has added routes for the remaining addresses
        _add(host, index, find_missing(spec, found))
    for setting in _settings(spec):
        turn_on(setting)
    state = state_of(spec, look(spec))
    if state is None:
        raise Internal(f"the bridge {spec.name} disappeared during its creation")
    return state


def drop_addresses(name: str, interfaces: Collection[IPv4Interface]) -> None:
    """Remove addresses from the bridge. Absent ones succeed. Raises OSError."""
    index = index_of(name)
    with NetlinkConnection() as host:
        for address in host.addresses() if interfaces else ():
            if address.link == index and address.interface in interfaces:
                unless_gone(host, requests.delete_address(index, address.interface))


def has_own_bridge(spec: BridgeSpec) -> bool:
    """Whether the bridge exists and Podwright created it. Raises OSError."""
    with NetlinkConnection() as host:
        bridge = next((link for link in host.links() if link.name == spec.name), None)
    return bridge is not None and (bridge.alias == BRIDGE_ALIAS or _is_unmarked(bridge, spec))


def delete_bridge_if_unused(name: str) -> bool:
    """Delete the bridge if it is ours and nothing is attached. Returns whether no pod is attached. Raises OSError."""
    with NetlinkConnection() as host:
        links = host.links()
        bridge = next((link for link in links if link.name == name), None)
        if bridge is None:
            return True
        attached = [link.name for link in links if link.master == bridge.index]
        if bridge.alias != BRIDGE_ALIAS:
            return not any(map(veth_address, attached))
        if attached:
            return False
        unless_gone(host, requests.delete_link(name))
    return True


def is_on(setting: str) -> bool:
    """Whether a boolean setting below net.ipv4 is 1. Takes three fast system calls. Raises OSError."""
    try:
        fd = os.open(f"/proc/sys/net/ipv4/{setting}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # the bridge does not exist
        return False
    try:
        return os.read(fd, 16).strip() == b"1"
    finally:
        os.close(fd)


def turn_on(setting: str) -> None:
    """Set a boolean setting below net.ipv4 to 1 unless it is, because the file may be read-only."""
    if not is_on(setting):
        with open(f"/proc/sys/net/ipv4/{setting}", "w", encoding="ascii") as file:
            file.write("1")


def _settings(spec: BridgeSpec) -> tuple[str, ...]:
    """Pods need forwarding to leave the host, and route_localnet makes host ports work on the host's 127.0.0.1."""
    return ("ip_forward", f"conf/{spec.name}/forwarding", f"conf/{spec.name}/route_localnet")


def _bridge(spec: BridgeSpec, found: HostLinks) -> NetworkInterface | None:
    return next((link for link in found.links if link.name == spec.name), None)


def _is_unmarked(bridge: NetworkInterface, spec: BridgeSpec) -> bool:
    """Whether a daemon created the bridge and was killed before it set the alias."""
    return not bridge.alias and bridge.mac == mac_for(spec.gateway)


def _create_bridge(host: NetlinkConnection, spec: BridgeSpec, mtu_bytes: int) -> None:
    try:
        host.perform(requests.create_bridge(spec.name, mac=mac_for(spec.gateway), mtu=mtu_bytes))
    except FileExistsError:
        return  # another daemon has done it
    host.perform(requests.set_alias(spec.name, BRIDGE_ALIAS))


def _add(host: NetlinkConnection, index: int, missing: Missing) -> None:
    for interface in missing.addresses:
        _unless_there(host, requests.add_address(index, interface))
    for interface in missing.routes:
        _unless_there(host, requests.add_subnet_route(index, interface))
    for veth in missing.veths:
        unless_gone(host, requests.set_master(veth, index))
        unless_gone(host, requests.set_hairpin(veth))


def _unless_there(host: NetlinkConnection, request: NetlinkRequest) -> None:
    """Perform a request. Another daemon on the same bridge may have done so already."""
    try:
        host.perform(request)
    except FileExistsError:
        return


def _refuse_overlap(spec: BridgeSpec, links: list[NetworkInterface], routes: list[Route]) -> None:
    overlap = find_overlap(spec, links, routes)
    if overlap:
        raise FailedPrecondition(
            f"the subnet {spec.gateway.network} of the built-in bridge overlaps the host's route {overlap}",
            hint="set [network] subnet to a free one",
        )
