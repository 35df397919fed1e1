"""One forwarded connection: both directions between a client's stream and a socket to a pod.

When the pod ends its direction, the client gets one more second for its own. When the client ends its direction, the
pod may send until it falls silent, because Kubernetes clients half-close even when they are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol

from podwright.streams.outlet import LIMIT_BYTES, Outlet
from podwright.streams.spdy.session import DATA_HEADER_BYTES

READ_BYTES = 256 * 1024
WINDOW_BYTES = LIMIT_BYTES  # the buffer for a client's stream, before there is a socket and then in its outlet
REST_S = 1.0
SILENCE_S = 10.0


class ToClient(Protocol):
    """The client's stream, for sending."""

    async def send(self, buffer: memoryview, length_bytes: int) -> None:
        """Send data that follows DATA_HEADER_BYTES of free space. Raises Unavailable if the client is gone.

        Cancel it only if the whole connection is given up.
        """

    async def finish(self) -> None:
        """Report that the pod sends no more. Raises Unavailable."""

    async def break_off(self) -> None:
        """Report that the pod's connection broke. Raises Unavailable."""


class FromClient:
    """Data from the client: buffered until there is a socket, then written to it."""

    def __init__(self, taken: Callable[[int], None] | None = None) -> None:
        """`taken` is called for all bytes that the pod's socket has accepted or that are discarded."""
        self.taken = taken
        self._early = bytearray()
        self._outlet: Outlet | None = None
        self._settled = asyncio.Event()  # set when there is a socket, or when data is discarded
        self._dropped = False
        self.ended = asyncio.Event()
        self.was_reset = False

    async def on_data(self, payload: memoryview) -> None:
        """Some bytes, valid until this returns."""
        if self._dropped:
            if self.taken is not None:
                self.taken(len(payload))
            return
        if self._outlet is not None:
            await self._outlet.write(payload)
            return
        self._early += payload
        if len(self._early) > WINDOW_BYTES:
            await self._settled.wait()

    async def on_end(self, *, reset: bool) -> None:
        """The client's end. After a reset, buffered data is discarded as well."""
        self.was_reset = reset
        self.ended.set()
        if self._outlet is not None:
            self._outlet.finish()

    async def attach(self, outlet: Outlet) -> None:
        """Write everything to this outlet from now on."""
        self._outlet = outlet
        early = bytes(self._early)
        self._early.clear()
        self._settled.set()
        await outlet.write(early)
        if self.ended.is_set():
            outlet.finish()

    def drop(self) -> None:
        """Discard the client's data from now on."""
        self._dropped = True
        self._early.clear()
        self._settled.set()


async def forward(pod: socket.socket, client: FromClient, stream: ToClient) -> None:
    """Copy both ways until both have ended, and close the socket. Raises Unavailable if the client is gone."""
    outlet = Outlet(pod, limit_bytes=WINDOW_BYTES, on_written=client.taken)
    answers = _Answers(pod, stream)
    ended = asyncio.create_task(client.ended.wait(), name="wait for the client's end")
    try:
        await client.attach(outlet)
        await asyncio.wait({answers.copying, ended}, return_when=asyncio.FIRST_COMPLETED)
        if answers.copying.done():
            await asyncio.wait({ended}, timeout=REST_S)
        elif not client.was_reset:
            await _until_silent(answers)
        client.drop()
        with contextlib.suppress(OSError):
            pod.shutdown(socket.SHUT_RDWR)  # sent data still arrives
        await answers.copying
    finally:
        client.drop()
        ended.cancel()
        answers.copying.cancel()
        await asyncio.gather(ended, answers.copying, return_exceptions=True)
        await outlet.close()
        pod.close()


class _Answers:
    """The pod's direction."""

    def __init__(self, pod: socket.socket, stream: ToClient) -> None:
        self._pod = pod
        self._stream = stream
        self.received_bytes = 0
        self.waits_for_pod = False
        self.copying = asyncio.create_task(self._copy(), name="copy from the pod")

    async def _copy(self) -> None:
        loop = asyncio.get_running_loop()
        buffer = memoryview(bytearray(DATA_HEADER_BYTES + READ_BYTES))
        try:
            while True:
                self.waits_for_pod = True
                count = await loop.sock_recv_into(self._pod, buffer[DATA_HEADER_BYTES:])
                self.waits_for_pod = False
                if not count:
                    break
                self.received_bytes += count
                await self._stream.send(buffer, count)
                await asyncio.sleep(0)  # a fast pod and a fast client must not block the event loop
        except OSError:
            await self._stream.break_off()
        else:
            await self._stream.finish()


async def _until_silent(answers: _Answers) -> None:
    while not answers.copying.done():
        before = answers.received_bytes
        done, _ = await asyncio.wait({answers.copying}, timeout=SILENCE_S)
        if not done and answers.waits_for_pod and answers.received_bytes == before:
            return
