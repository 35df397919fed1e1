"""The kernel's side of a pod on the built-in bridge: plugging it in, unplugging. Data in, system calls, OSError out.

Everything blocks and runs in a thread of its own (`threads`). `bridge` decides when; this file knows how. The bridge
itself is `bridge_link`'s.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.linux import libc, namespaces
from podwright.runtime.network.bandwidth import Bandwidth
from podwright.runtime.network.netlink import requests, shaping
from podwright.runtime.network.netlink.codec import NetlinkRequest
from podwright.runtime.network.netlink.connection import NetlinkConnection
from podwright.runtime.network.request import INTERFACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """A pod to plug in; `alias` is what `ip link` shows beside the host's end."""

    netns: str
    veth: str
    alias: str
    interface: IPv4Interface
    gateway: IPv4Interface
    bridge_index: int
    mtu_bytes: int
    bandwidth: Bandwidth = field(default_factory=Bandwidth)


def mac_for(interface: IPv4Interface) -> bytes:
    """A MAC made from the address, so that neighbours' caches stay right when an address is used again."""
    return b"\x0a\x58" + interface.ip.packed


def plug(plan: Plug) -> None:
    """Join a network namespace to the bridge. Call it in a thread of its own: it stays in that namespace.

    Raises FileExistsError when the veth's name is taken, which means that its address is.
    """
    fd = os.open(plan.netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with NetlinkConnection() as host:
            host.perform(
                requests.create_veth(
                    plan.veth,
                    bridge_index=plan.bridge_index,
                    mtu=plan.mtu_bytes,
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
    with NetlinkConnection() as pod:
        index = socket.if_nametoindex(INTERFACE)
        pod.perform(
            requests.set_up(requests.LOOPBACK_INDEX),
            requests.set_up(index),
            requests.add_address(index, plan.interface),
            requests.add_default_route(index, plan.gateway.ip),
        )
        if plan.bandwidth.egress_bits_s:
            _limit(pod, INTERFACE, plan.bandwidth.egress_bits_s)


def _limit(connection: NetlinkConnection, name: str, bits_s: int) -> None:
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
    with NetlinkConnection() as pod:
        pod.perform(requests.set_up(requests.LOOPBACK_INDEX))


def index_of(name: str) -> int:
    """The number of a link of the host; 0 when there is none. One quick system call."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def cut(veth: str) -> None:
    """Silence a pod at once (deleting takes 20 ms); no such link is fine."""
    with NetlinkConnection() as host:
        unless_gone(host, requests.set_down(veth))


def delete(name: str) -> None:
    """Delete a link; none there is fine."""
    with NetlinkConnection() as host:
        unless_gone(host, requests.delete_link(name))


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


def unless_gone(host: NetlinkConnection, request: NetlinkRequest) -> None:
    """Perform a request; that its link is not there is fine."""
    try:
        host.perform(request)
    except OSError as failure:
        if failure.errno != errno.ENODEV:
            raise
