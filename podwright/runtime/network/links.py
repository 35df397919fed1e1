"""The kernel's side of the built-in bridge: making it, plugging a pod, unplugging. Data in, system calls, OSError out.

Everything blocks and runs in a thread of its own (`threads`). `bridge` decides when; this file knows how.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from ipaddress import IPv4Interface

import msgspec

from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.linux import libc, namespaces
from podwright.runtime.network.bandwidth import Bandwidth
from podwright.runtime.network.netlink import requests, shaping
from podwright.runtime.network.netlink.codec import Request
from podwright.runtime.network.netlink.connection import Connection
from podwright.runtime.network.netlink.replies import Link, Route
from podwright.runtime.network.request import INTERFACE

BRIDGE_ALIAS = "made by podwright"  # tells a bridge that we may delete from an administrator's
DEFAULT_MTU_BYTES = 1500


class BridgeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The bridge as configured; `gateway` is its own address, `mtu_bytes` 0 means that of the default route."""

    name: str
    gateway: IPv4Interface
    mtu_bytes: int


class BridgeState(msgspec.Struct, frozen=True, kw_only=True):
    """The bridge as it is: its number, what new pods get, and the names of the links that are plugged in."""

    index: int
    mtu_bytes: int
    ports: frozenset[str]


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """A pod to plug in; `alias` is what `ip link` shows beside the host's end."""

    netns: str
    veth: str
    alias: str
    interface: IPv4Interface
    gateway: IPv4Interface
    bridge: BridgeState
    bandwidth: Bandwidth = Bandwidth()


def mac_for(interface: IPv4Interface) -> bytes:
    """A MAC made from the address, so that neighbours' caches stay right when an address is used again."""
    return b"\x0a\x58" + interface.ip.packed


def find_overlap(spec: BridgeSpec, links: list[Link], routes: list[Route]) -> str:
    """The route that already leads to (part of) the bridge's subnet, in words; empty when there is none. Pure.

    The links have to be read after the routes: then a route by a link that is not listed went away with that link,
    while a bridge that another daemon is just making is listed under its name.
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


def choose_mtu(spec: BridgeSpec, links: list[Link], routes: list[Route]) -> int:
    """The configured MTU, or that of the default route's link, or Ethernet's. Pure."""
    default = next((route.link for route in routes if route.destination.prefixlen == 0), 0)
    found = next((link.mtu_bytes for link in links if link.index == default), 0)
    return spec.mtu_bytes or found or DEFAULT_MTU_BYTES


def check_overlap(spec: BridgeSpec) -> None:
    """Raise FailedPrecondition when the subnet is somebody else's already."""
    with Connection() as host:
        routes, links = host.routes(), host.links()
    _refuse_overlap(spec, links, routes)


def inspect_bridge(spec: BridgeSpec) -> BridgeState | None:
    """The bridge as it is now; None when it is not there."""
    with Connection() as host:
        links = host.links()
        routes = host.routes()
    bridge = next((link for link in links if link.name == spec.name), None)
    if bridge is None:
        return None
    ports = frozenset(link.name for link in links if link.master == bridge.index)
    return BridgeState(index=bridge.index, mtu_bytes=choose_mtu(spec, links, routes), ports=ports)


def ensure_bridge(spec: BridgeSpec) -> BridgeState:
    """Make the bridge, or mend it: address, up, forwarding. Raises FailedPrecondition for a foreign subnet or name."""
    with Connection() as host:
        routes, links = host.routes(), host.links()
        _refuse_overlap(spec, links, routes)
        bridge = next((link for link in links if link.name == spec.name), None)
        if bridge is None:
            _create_bridge(host, spec, choose_mtu(spec, links, routes))
        elif bridge.kind != "bridge":
            raise FailedPrecondition(f"{spec.name} is not a bridge", hint="set [network] bridge to another name")
        elif not bridge.alias and bridge.mac == mac_for(spec.gateway):
            host.perform(requests.set_alias(spec.name, BRIDGE_ALIAS))  # a killed daemon had come no further
        index = socket.if_nametoindex(spec.name)
        with contextlib.suppress(FileExistsError):  # the address stands
            host.perform(requests.set_up(index), requests.add_address(index, spec.gateway))
    _set_sysctl("ip_forward")
    _set_sysctl(f"conf/{spec.name}/route_localnet")
    state = inspect_bridge(spec)
    if state is None:
        raise Internal(f"the bridge {spec.name} vanished while it was made")
    return state


def plug(plan: Plug) -> None:
    """Join a network namespace to the bridge. Call it in a thread of its own: it stays in that namespace.

    Raises FileExistsError when the veth's name is taken, which means that its address is.
    """
    fd = os.open(plan.netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Connection() as host:
            host.perform(
                requests.create_veth(
                    plan.veth,
                    bridge_index=plan.bridge.index,
                    mtu=plan.bridge.mtu_bytes,
                    peer=INTERFACE,
                    peer_mac=mac_for(plan.interface),
                    netns_fd=fd,
                )
            )
            host.perform(requests.set_alias(plan.veth, plan.alias), requests.set_hairpin(plan.veth))
            if plan.bandwidth.ingress_bits_s:
                _limit(host, plan.veth, plan.bandwidth.ingress_bits_s)
        libc.setns(fd, namespaces.CLONE_NEWNET)
    finally:
        os.close(fd)
    with Connection() as pod:
        index = socket.if_nametoindex(INTERFACE)
        pod.perform(
            requests.set_up(requests.LOOPBACK_INDEX),
            requests.set_up(index),
            requests.add_address(index, plan.interface),
            requests.add_default_route(index, plan.gateway.ip),
        )
        if plan.bandwidth.egress_bits_s:
            _limit(pod, INTERFACE, plan.bandwidth.egress_bits_s)


def _limit(connection: Connection, name: str, bits_s: int) -> None:
    """What a pod receives is limited where the host sends it, what it sends at its own end."""
    try:
        connection.perform(shaping.limit_rate(socket.if_nametoindex(name), bits_s))
    except FileNotFoundError as missing:  # the kernel's word for a kind of queue that it does not know
        raise FailedPrecondition(
            "this kernel cannot limit a pod's traffic", hint="load the kernel module sch_tbf, or drop the annotation"
        ) from missing


def bring_up_loopback(netns: str) -> None:
    """127.0.0.1 in a network namespace. Call it in a thread of its own: it stays in that namespace."""
    fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.setns(fd, namespaces.CLONE_NEWNET)
    finally:
        os.close(fd)
    with Connection() as pod:
        pod.perform(requests.set_up(requests.LOOPBACK_INDEX))


def index_of(name: str) -> int:
    """The number of a link of the host; 0 when there is none. One quick system call."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def is_still(name: str, index: int) -> bool:
    """Whether a link was not deleted and made anew since its number was seen."""
    return index_of(name) == index


def cut(veth: str) -> None:
    """Silence a pod at once (deleting takes 20 ms); no such link is fine."""
    with Connection() as host:
        _unless_gone(host, requests.set_down(veth))


def delete(name: str) -> None:
    """Delete a link; none there is fine."""
    with Connection() as host:
        _unless_gone(host, requests.delete_link(name))


def delete_bridge_if_unused(spec: BridgeSpec) -> bool:
    """Delete the bridge if it is ours and nothing is plugged in; whether it is gone now."""
    with Connection() as host:
        links = host.links()
        bridge = next((link for link in links if link.name == spec.name), None)
        if bridge is None:
            return True
        if bridge.alias != BRIDGE_ALIAS or any(link.master == bridge.index for link in links):
            return False
        _unless_gone(host, requests.delete_link(spec.name))
    return True


def explain(failure: OSError, doing: str) -> PodwrightError:
    """What a failed system call means to the caller of attach."""
    message = (
        f"cannot {doing}: {failure.filename or ''}{': ' if failure.filename else ''}{failure.strerror or failure}"
    )
    if failure.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
        return FailedPrecondition(
            message, hint="the daemon needs CAP_NET_ADMIN, CAP_SYS_ADMIN and a writable /proc/sys"
        )
    if failure.errno in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
        return FailedPrecondition(message, hint="load the kernel modules bridge and veth")
    if failure.errno == errno.ENOENT:
        return FailedPrecondition(message)
    return Internal(message)


def _create_bridge(host: Connection, spec: BridgeSpec, mtu_bytes: int) -> None:
    try:
        host.perform(requests.create_bridge(spec.name, mac=mac_for(spec.gateway), mtu=mtu_bytes))
    except FileExistsError:
        return  # another daemon was faster
    host.perform(requests.set_alias(spec.name, BRIDGE_ALIAS))


def _refuse_overlap(spec: BridgeSpec, links: list[Link], routes: list[Route]) -> None:
    overlap = find_overlap(spec, links, routes)
    if overlap:
        raise FailedPrecondition(
            f"the subnet {spec.gateway.network} of the built-in bridge overlaps the host's route {overlap}",
            hint="set [network] subnet to one that is free",
        )


def _set_sysctl(name: str) -> None:
    """1 into a boolean sysctl below net.ipv4, unless it is there (the file may be read-only and right)."""
    path = f"/proc/sys/net/ipv4/{name}"
    with open(path, encoding="ascii") as file:
        if file.read().strip() == "1":
            return
    with open(path, "w", encoding="ascii") as file:
        file.write("1")


def _unless_gone(host: Connection, request: Request) -> None:
    try:
        host.perform(request)
    except OSError as failure:
        if failure.errno != errno.ENODEV:
            raise
