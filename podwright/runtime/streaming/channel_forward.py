"""A port-forward session on a WebSocket without the tunnel: two channels and one connection per port.

The ports are those of the CRI request. A single channel cannot be closed, so the session ends when all connections
have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from podwright.errors import PodwrightError, Unavailable
from podwright.runtime.streaming.channels import ChannelSocket
from podwright.runtime.streaming.forward import FromClient, forward
from podwright.runtime.streaming.port_forward import Dial
from podwright.streams.port_forward import check_ports, data_channel, error_channel, pack_port
from podwright.streams.spdy.session import DATA_HEADER_BYTES
from podwright.streams.websocket.channels import ChannelClosed, ChannelData
from podwright.streams.websocket.handshake import ChannelProtocol
from podwright.streams.wire import Wire


class ChannelForwardSession:
    """One client."""

    def __init__(self, wire: Wire, protocol: ChannelProtocol, dial: Dial, ports: Sequence[int]) -> None:
        """Raises ProtocolError if there are too many ports."""
        check_ports(ports)
        self._socket = ChannelSocket(wire, protocol)
        self._dial = dial
        self._ports = ports
        self._clients = {data_channel(index): FromClient() for index in range(len(ports))}

    async def run(self) -> None:
        """Run until the client or all connections are gone. Raises ProtocolError."""
        receiving = asyncio.create_task(self._socket.run(self._on_channel), name="receive channels")
        forwarding = asyncio.create_task(self._forward_all(), name="forward channels")
        try:
            await asyncio.wait({receiving, forwarding}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                with contextlib.suppress(Unavailable):
                    await self._socket.say_goodbye()
            await receiving
        finally:
            receiving.cancel()
            forwarding.cancel()
            await asyncio.gather(receiving, forwarding, return_exceptions=True)

    async def _on_channel(self, said: ChannelData | ChannelClosed) -> None:
        client = self._clients.get(said.channel)
        if client is None:
            return
        if isinstance(said, ChannelClosed):
            await client.on_end(reset=False)
        else:
            await client.on_data(memoryview(said.payload))

    async def _forward_all(self) -> None:
        await asyncio.gather(*(self._forward(index, port) for index, port in enumerate(self._ports)))

    async def _forward(self, index: int, port: int) -> None:
        client = self._clients[data_channel(index)]
        with contextlib.suppress(Unavailable):  # the client is gone
            for channel in (data_channel(index), error_channel(index)):
                await self._socket.send(channel, pack_port(port))
            try:
                pod = await self._dial(port)
            except PodwrightError as failure:
                client.drop()
                await self._socket.send(error_channel(index), str(failure).encode())
                return
            await forward(pod, client, _DataChannel(self._socket, data_channel(index)))


class _DataChannel:
    """A port's data channel, for sending."""

    def __init__(self, connection: ChannelSocket, channel: int) -> None:
        self._connection = connection
        self._channel = channel

    async def send(self, buffer: memoryview, length_bytes: int) -> None:
        await self._connection.send(self._channel, buffer[DATA_HEADER_BYTES : DATA_HEADER_BYTES + length_bytes])

    async def finish(self) -> None:
        return

    async def break_off(self) -> None:
        return
