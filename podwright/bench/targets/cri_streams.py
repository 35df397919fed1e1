"""Exec and port-forward through the streams of a CRI endpoint, with the same client for every target."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.port_forward import Forwarder, forwarding
from podwright.streams.wire import Buffer

END_TIMEOUT_S = 30.0


class _Discard:
    async def write(self, data: Buffer) -> None:
        """As OutputSink.write."""


async def run_exec(cri: CriClient, container_id: str, command: tuple[str, ...]) -> None:
    """Exec and its whole session. Raises Internal when the command fails, and what the stream raises."""
    request = api.ExecRequest(container_id=container_id, cmd=command, stdout=True, stderr=True)
    url = (await cri.call(cri.runtime.Exec, request)).url
    outcome = await run_command(url, CommandStreams(stdout=_Discard(), stderr=_Discard()))
    if outcome.exit_code != 0 or outcome.failure:
        raise Internal(f"{command[0]} in {container_id}: {outcome.failure or outcome.exit_code}")


@contextlib.asynccontextmanager
async def open_tunnel(cri: CriClient, sandbox_id: str) -> AsyncIterator[CriTunnel]:
    """A port-forward session. Raises what the call and the stream raise."""
    url = (await cri.call(cri.runtime.PortForward, api.PortForwardRequest(pod_sandbox_id=sandbox_id))).url
    async with forwarding(url) as forwarder:
        yield CriTunnel(forwarder)


class CriTunnel:
    """A Tunnel."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    @contextlib.asynccontextmanager
    async def connection(self, port: int) -> AsyncIterator[socket.socket]:
        """A socket pair, like the local end of `kubectl port-forward`. Raises what `Forwarder.forward` raises."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        running = asyncio.create_task(self._forwarder.forward(theirs, port), name="forward a port")
        try:
            yield ours
        finally:
            ours.close()
            async with asyncio.timeout(END_TIMEOUT_S):
                await running
