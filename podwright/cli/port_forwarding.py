"""Listening sockets, and the sessions for their connections.

A session ends if the runtime restarts, or after hours without traffic. Then a new one is requested, and the listening
sockets stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence

import click
import msgspec

from podwright.addresses import host_port
from podwright.cli import lookup
from podwright.cli.connection import connected
from podwright.cli.invocation import Invocation
from podwright.cli.port_mapping import ForwardedPort
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, PermissionDenied, PodwrightError, Unavailable
from podwright.streams.client.port_forward import Forwarder, forwarding

BACKLOG = 128
PAUSE_S = 1.0  # between sessions that end immediately


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket and the pod's port behind it."""

    socket: socket.socket
    pod_port: int

    @property
    def name(self) -> str:
        """`127.0.0.1:8080`, `[::1]:8080`."""
        host, port, *_ = self.socket.getsockname()
        return host_port(host, port)


async def forward_ports(invocation: Invocation, pod: str, mappings: Sequence[ForwardedPort]) -> None:
    """Run until cancelled. Raises AlreadyExists for a local port in use, and what the runtime raises."""
    async with connected(invocation) as cri:
        sandbox_id = await lookup.find_pod(cri, pod)
        with contextlib.ExitStack() as sockets:
            listeners = [_listen(mapping, sockets) for mapping in mappings]
            url = await _url(cri, sandbox_id)
            for listener in listeners:
                click.echo(f"forwarding {listener.name} to port {listener.pod_port} of {pod}")
            while True:
                await _session(url, listeners)
                click.echo("podwright: the session ended, requesting another one", err=True)
                await asyncio.sleep(PAUSE_S)
                url = await _url(cri, sandbox_id)


def _listen(mapping: ForwardedPort, sockets: contextlib.ExitStack) -> Listener:
    family = socket.AF_INET6 if ":" in mapping.address else socket.AF_INET
    place = f"{mapping.address}:{mapping.local_port}"
    try:
        listening = socket.create_server((mapping.address, mapping.local_port), family=family, backlog=BACKLOG)
    except PermissionError as failure:
        raise PermissionDenied(f"no permission to listen on {place}", hint="choose a port from 1024 up") from failure
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            hint = f"choose another one, or :{mapping.pod_port} for any"
            raise AlreadyExists(f"{place} is in use by another program", hint=hint) from failure
        raise Unavailable(f"cannot listen on {place}: {failure.strerror}") from failure
    sockets.callback(listening.close)
    listening.setblocking(False)
    return Listener(socket=listening, pod_port=mapping.pod_port)


async def _url(cri: CriClient, sandbox_id: str) -> str:
    return (await cri.call(cri.runtime.PortForward, api.PortForwardRequest(pod_sandbox_id=sandbox_id))).url


async def _session(url: str, listeners: Sequence[Listener]) -> None:
    """Serve until the session ends."""
    async with forwarding(url) as forwarder, asyncio.TaskGroup() as tasks:
        accepting = [
            tasks.create_task(_accept(listener, forwarder, tasks), name="accept connections") for listener in listeners
        ]
        await forwarder.ended.wait()
        for task in accepting:
            task.cancel()


async def _accept(listener: Listener, forwarder: Forwarder, tasks: asyncio.TaskGroup) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = await loop.sock_accept(listener.socket)
        except OSError as failure:  # too many open files, the connection waits
            click.echo(f"podwright: cannot accept a connection on {listener.name}: {failure.strerror}", err=True)
            await asyncio.sleep(PAUSE_S)
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tasks.create_task(_forward(connection, listener, forwarder), name="forward a connection")


async def _forward(connection: socket.socket, listener: Listener, forwarder: Forwarder) -> None:
    try:
        await forwarder.forward(connection, listener.pod_port)
    except PodwrightError as failure:
        click.echo(f"podwright: port {listener.pod_port}: {' '.join(failure.message.split())}", err=True)
