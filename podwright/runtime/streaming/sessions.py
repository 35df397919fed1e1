"""Connects a backend with a client after the upgrade of the connection, and cleans up afterwards.

If the client of a command leaves, the command continues without stdio until its end, or the daemon's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from podwright.errors import PodwrightError, Unavailable
from podwright.runtime.handlers.protocol import Exec
from podwright.runtime.model.streaming import AttachRequest, ExecRequest, PortForwardRequest
from podwright.runtime.sandbox import port_forward
from podwright.runtime.streaming.channel_forward import ChannelForwardSession
from podwright.runtime.streaming.connection import ClientConnection
from podwright.runtime.streaming.late_sessions import StreamContainers, StreamSandboxes
from podwright.runtime.streaming.plan import Carrier, Plan
from podwright.runtime.streaming.port_forward import PortForwardSession
from podwright.runtime.streaming.remote import Remote, SpdyRemote, wanted_streams
from podwright.runtime.streaming.remote_command import Gone, TerminalSizes, serve_attach, serve_exec
from podwright.runtime.streaming.websocket_remote import WebSocketRemote
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import SPDY_PROTOCOLS, Version
from podwright.streams.remote_command.status import Outcome
from podwright.streams.tunnel_wire import TunnelWire
from podwright.streams.websocket.connection import SERVER, WebSocket
from podwright.streams.websocket.handshake import ChannelProtocol, channel_protocol
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class Sessions:
    """Runs sessions, and keeps commands that outlive theirs."""

    def __init__(self, containers: StreamContainers, sandboxes: StreamSandboxes, *, creation_timeout_s: float) -> None:
        """Clients get `creation_timeout_s` to open their streams."""
        self._containers = containers
        self._sandboxes = sandboxes
        self._creation_timeout_s = creation_timeout_s
        self._left = Tasks()

    async def run(
        self, request: ExecRequest | AttachRequest | PortForwardRequest, plan: Plan, connection: ClientConnection
    ) -> None:
        """Run to the end of the session. Raises PodwrightError for failures that are only logged."""
        if isinstance(request, PortForwardRequest):
            await self._forward(request, plan, connection)
        else:
            await self._remote_command(request, plan, connection)

    async def _remote_command(
        self, request: ExecRequest | AttachRequest, plan: Plan, connection: ClientConnection
    ) -> None:
        remote = _remote(request, plan, connection)
        gone: Gone = asyncio.create_task(remote.run(), name="receive from a client")
        try:
            async with asyncio.timeout(self._creation_timeout_s):
                await remote.ready()
            if gone.done():
                return
            outcome = await self._outcome(request, remote, gone)
            if outcome is not None:
                with contextlib.suppress(Unavailable):
                    await remote.conclude(outcome)
                    await connection.linger(gone)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _outcome(self, request: ExecRequest | AttachRequest, remote: Remote, gone: Gone) -> Outcome | None:
        """The outcome, or why the session failed. None if the client is gone."""
        try:
            if isinstance(request, ExecRequest):
                return await self._exec(request, remote, gone)
            return await self._attach(request, remote, gone)
        except PodwrightError as failure:
            return Outcome(failure=str(failure))

    async def _exec(self, request: ExecRequest, remote: Remote, gone: Gone) -> Outcome | None:
        sizes = TerminalSizes(remote)
        command = await self._containers.exec(request, await sizes.first() if request.tty else None)
        try:
            outcome = await serve_exec(remote, gone, command, sizes, wanted_streams(request, Version.V4))
        except BaseException:
            await asyncio.shield(command.end())
            raise
        if outcome is None:
            self._leave(command)
        else:
            await command.end()
        return outcome

    def _leave(self, command: Exec) -> None:
        """Leave the command running after the client is gone."""
        command.hang_up()
        self._left.start(_end_alone(command), name="exec without a client")

    async def _attach(self, request: AttachRequest, remote: Remote, gone: Gone) -> Outcome | None:
        client = await self._containers.attach(request)
        try:
            return await serve_attach(remote, gone, client, request)
        finally:
            client.close()

    async def _forward(self, request: PortForwardRequest, plan: Plan, connection: ClientConnection) -> None:
        async def dial(port: int) -> socket.socket:
            return await port_forward.dial(self._sandboxes.get(request.sandbox_id), port)

        if plan.carrier is Carrier.CHANNELS:
            await ChannelForwardSession(connection, _channels(plan), dial, request.ports).run()
            return
        wire = TunnelWire(connection, WebSocket(SERVER)) if plan.carrier is Carrier.TUNNEL else connection
        await PortForwardSession(wire, dial, pair_timeout_s=self._creation_timeout_s).run()

    async def close(self) -> None:
        """Kill the remaining commands."""
        await self._left.close()


async def _end_alone(command: Exec) -> None:
    """Wait for the end of a command without a client, then clean up."""
    try:
        with contextlib.suppress(PodwrightError):  # it never started
            await command.wait()
    finally:
        await asyncio.shield(command.end())


def _remote(request: ExecRequest | AttachRequest, plan: Plan, connection: ClientConnection) -> Remote:
    """Raises ProtocolError for a protocol that the plan must not choose."""
    if plan.carrier is Carrier.SPDY:
        version = SPDY_PROTOCOLS[plan.protocol]
        return SpdyRemote(connection, version, wanted_streams(request, version))
    protocol = _channels(plan)
    return WebSocketRemote(connection, protocol, wanted_streams(request, Version(protocol.version)))


def _channels(plan: Plan) -> ChannelProtocol:
    protocol = channel_protocol(plan.protocol)
    if protocol is None:
        raise ProtocolError(f"{plan.protocol!r} is not a channel protocol")
    return protocol
