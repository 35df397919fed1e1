"""A port-forward session on SPDY: pairs of streams, each pair one TCP connection to a port of the pod.

The receiving task writes data straight to the pods' sockets. Each pair has a task that reads from its socket and
sends. What a pod does not read is buffered up to a window. A client with flow control then stops sending on that
connection, and a client without it waits with all of them. An unreachable port is reported on the pair's error
stream, both streams are reset, and the session continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Awaitable, Callable

from podwright.errors import FailedPrecondition, PodwrightError, Unavailable
from podwright.runtime.streaming.forward import WINDOW_BYTES, FromClient, forward
from podwright.streams.port_forward import Pair, Pairing, StreamRefused
from podwright.streams.spdy.events import StreamOpened
from podwright.streams.spdy.session import Role
from podwright.streams.spdy_connection import SpdyConnection, StreamHandler
from podwright.streams.wire import Wire
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

STREAMS_LIMIT = 1024  # two per connection

Dial = Callable[[int], Awaitable[socket.socket]]


class PortForwardSession:
    """One client."""

    def __init__(self, wire: Wire, dial: Dial, *, pair_timeout_s: float) -> None:
        """`dial` connects to a port. Both streams of a pair must arrive within `pair_timeout_s`."""
        self._dial = dial
        self._pair_timeout_s = pair_timeout_s
        self._pairing = Pairing()
        self._halves: dict[int, FromClient] = {}  # for incomplete pairs
        self._forwards = Tasks()
        self._connection = SpdyConnection(
            wire,
            role=Role.SERVER,
            on_opened=self._on_opened,
            streams_limit=STREAMS_LIMIT,
            window_bytes=WINDOW_BYTES,
        )

    async def run(self) -> None:
        """Run until the client is gone, then close all its connections. Raises ProtocolError."""
        try:
            await self._connection.run()
        finally:
            await self._forwards.close()

    async def _on_opened(self, opened: StreamOpened) -> StreamHandler | None:
        try:
            pair = self._pairing.add(opened.stream_id, opened.headers)
        except StreamRefused as refusal:
            log.info("stream cannot be forwarded: error=%s", refusal)
            return None
        taken = functools.partial(self._connection.taken, opened.stream_id)
        half = self._halves[opened.stream_id] = FromClient(taken)
        if pair is not None:
            self._start(pair)
        else:
            asyncio.get_running_loop().call_later(self._pair_timeout_s, self._give_up, opened.stream_id)
        return half

    def _give_up(self, stream_id: int) -> None:
        """Give up a pair whose other stream did not arrive."""
        half = self._halves.get(stream_id)
        if half is None or not self._pairing.is_alone(stream_id):
            return
        half.drop()
        del self._halves[stream_id]
        self._pairing.forget(stream_id)
        with contextlib.suppress(PodwrightError):
            self._connection.reset(stream_id)

    def _start(self, pair: Pair) -> None:
        self._halves.pop(pair.error_stream_id).drop()
        client = self._halves.pop(pair.data_stream_id)
        self._forwards.start(self._forward(pair, client), name=f"forward to port {pair.port}")

    async def _forward(self, pair: Pair, client: FromClient) -> None:
        """One connection, from dialling to its end."""
        with contextlib.suppress(Unavailable, FailedPrecondition):  # the client is gone or has reset the streams
            try:
                pod = await self._dial(pair.port)
            except PodwrightError as failure:
                client.drop()
                await self._refuse(pair, str(failure))
                return
            await forward(pod, client, _ServedStream(self._connection, pair.data_stream_id))
            await self._connection.send_fin(pair.error_stream_id)

    async def _refuse(self, pair: Pair, why: str) -> None:
        log.info("port-forward failed: port=%d error=%s", pair.port, why)
        await self._connection.send(pair.error_stream_id, why.encode())
        self._connection.reset(pair.error_stream_id)
        self._connection.reset(pair.data_stream_id)


class _ServedStream:
    """A pair's data stream, for sending."""

    def __init__(self, connection: SpdyConnection, stream_id: int) -> None:
        self._connection = connection
        self._stream_id = stream_id

    async def send(self, buffer: memoryview, length_bytes: int) -> None:
        await self._connection.send_behind_header(self._stream_id, buffer, length_bytes)

    async def finish(self) -> None:
        await self._connection.send_fin(self._stream_id)

    async def break_off(self) -> None:
        self._connection.reset(self._stream_id)
