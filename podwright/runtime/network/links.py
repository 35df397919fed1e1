"""System calls that attach a pod to the built-in bridge and detach it. Input is data, failures are OSErrors.

Everything blocks, and runs in a thread of its own (`threads`). `bridge` decides when. `bridge_link` handles the
bridge itself.
"""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import IPv4Interface

import msgspec

from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.linux import libc, namespaces
from podwright.runtime.network.bandwidth import Bandwidth
from podwright.runtime.network.netlink import requests, shaping
from podwright.runtime.network.netlink.codec import NetlinkRequest
from podwright.runtime.network.netlink.connection import NetlinkConnection
from podwright.runtime.network.request import INTERFACE


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """A pod to attach. `alias` is shown by `ip link` for the host's end."""

    netns: str
    veth: str
    alias: str
    interface: IPv4Interface
    gateway: IPv4Interface
    bridge_index: int
    mtu_bytes: int
    bandwidth: Bandwidth = msgspec.field(default_factory=Bandwidth)


def mac_for(interface: IPv4Interface) -> bytes:
    """A MAC derived from the address, so that neighbours' caches stay valid when an address is reused."""
    return b"\x0a\x58" + interface.ip.packed


def plug(plan: Plug) -> None:
    """Connect a network namespace to the bridge. Call it in a thread of its own, because it stays in that namespace.

    Raises FileExistsError if the veth's name is in use, which means that the address is.
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
    """Limit the pod's ingress at the host's end, and its egress at its own end."""
    try:
        connection.perform(shaping.limit_rate(socket.if_nametoindex(name), bits_s))
    except FileNotFoundError as missing:  # the kernel's error for an unknown queueing discipline
        raise FailedPrecondition(
            "this kernel cannot limit a pod's traffic", hint="load the kernel module sch_tbf, or remove the annotation"
        ) from missing


def bring_up_loopback(netns: str) -> None:
    """Set up 127.0.0.1 in a network namespace. Call it in a thread of its own, because it stays in that namespace."""
    fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.setns(fd, namespaces.CLONE_NEWNET)
    finally:
        os.close(fd)
    with NetlinkConnection() as pod:
        pod.perform(requests.set_up(requests.LOOPBACK_INDEX))


def index_of(name: str) -> int:
    """The index of a link of the host, or 0. One fast system call."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def cut(veth: str) -> None:
    """Set a pod's link down at once (deleting takes 20 ms). An absent link succeeds."""
    with NetlinkConnection() as host:
        unless_gone(host, requests.set_down(veth))


def delete(name: str) -> None:
    """Delete a link. An absent one succeeds."""
    with NetlinkConnection() as host:
        unless_gone(host, requests.delete_link(name))


def explain(failure: OSError, doing: str) -> PodwrightError:
    """The error for a failed system call of attach."""
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
    """Perform a request. An absent link succeeds."""
    try:
        host.perform(request)
    except OSError as failure:
        if failure.errno != errno.ENODEV:
            raise
