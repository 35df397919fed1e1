"""Connections of one port-forward session whose readers stand still hold up nobody else, and cost a window each."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import running_pod, serving
from podwright.conformance.streams import forward_url, forwarded
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.port_forward import forwarding
from tests.faults.vitals import MIB, resident_bytes
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

ECHO, FLOOD, DEAF = 7, 19, 11
SERVERS = serving({ECHO: "cat", FLOOD: "yes", DEAF: "sleep 1000"})
BULK = hashlib.shake_256(b"bulk").digest(10 * MIB)
SOCKETS_MIB = 50  # more than all sockets and windows on the way hold
CHUNK = bytes(64 * 1024)
STILL_S = 0.3
WAIT_S = patient(60.0)


@pytest.mark.parametrize("transport", StreamTransport)
async def test_two_that_stand_still_and_one_that_does_not(
    podwright_server: Podwright, busybox_image: str, transport: StreamTransport
) -> None:
    """A local peer that never reads what its pod sends, and a pod that never reads what its local peer sends."""
    async with podwright_server.client() as client, running_pod(podwright_server.peer(client), busybox_image) as pod:
        await pod.run_ready(SERVERS)
        before = resident_bytes(podwright_server)
        async with (
            forwarding(await forward_url(pod), transport=transport) as forwarder,
            forwarded(forwarder, FLOOD) as never_read,
            forwarded(forwarder, DEAF, give_up=True) as never_heard,
            forwarded(forwarder, ECHO) as connection,
        ):
            await windows_known(connection)
            assert await until_nobody_takes_more(never_heard) < SOCKETS_MIB * MIB
            assert await asyncio.get_running_loop().sock_recv(never_read, 2) == b"y\n"
            assert await echoed(connection) == hashlib.sha256(BULK).digest()
            assert resident_bytes(podwright_server) - before < 16 * MIB


async def windows_known(connection: socket.socket) -> None:
    """The server's windows come before its first data; until then a client knows of none, and sends what goes."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(WAIT_S):
        await loop.sock_sendall(connection, b"?")
        assert await loop.sock_recv(connection, 1) == b"?"


async def until_nobody_takes_more(connection: socket.socket) -> int:
    """Send as much as goes; how many bytes it was."""
    sent_bytes = 0
    with contextlib.suppress(TimeoutError):
        while sent_bytes < SOCKETS_MIB * MIB:
            async with asyncio.timeout(STILL_S):
                await asyncio.get_running_loop().sock_sendall(connection, CHUNK)
            sent_bytes += len(CHUNK)
    return sent_bytes


async def echoed(connection: socket.socket) -> bytes:
    """The digest of what comes back of BULK."""
    loop, digest, left_bytes = asyncio.get_running_loop(), hashlib.sha256(), len(BULK)
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.sock_sendall(connection, BULK))
        while left_bytes and (data := await loop.sock_recv(connection, 1 << 20)):
            digest.update(data)
            left_bytes -= len(data)
    return digest.digest()
