"""One exec or attach session, from its URL to the command's exit code.

a source -> stdin           stdout, stderr -> sinks
terminal sizes -> resize    error -> the Outcome
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.link import SessionStreams
from podwright.streams.client.opening import open_link
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import SPDY_PROTOCOLS, WEBSOCKET_PROTOCOLS, StreamType
from podwright.streams.remote_command.resize import TerminalSize, pack_size
from podwright.streams.remote_command.status import STATUS_LIMIT_BYTES, Outcome, parse_outcome
from podwright.streams.wire import Buffer


class InputSource(Protocol):
    """Provides stdin."""

    async def read(self) -> bytes:
        """The next bytes. Empty at the end, and from then on."""


class OutputSink(Protocol):
    """Receives output."""

    async def write(self, data: Buffer) -> None:
        """Consume the bytes, which are valid until this returns. Waiting here slows the command down."""


class CommandStreams(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints of the session. They must match the Exec or Attach request.

    With `tty` there is no stderr.
    """

    stdin: InputSource | None = None
    stdout: OutputSink | None = None
    stderr: OutputSink | None = None
    tty: bool = False
    sizes: AsyncIterator[TerminalSize] | None = None  # terminal sizes: the current one, then each change

    def types(self) -> list[StreamType]:
        """The streams to open, in the order of the stock client."""
        wanted = {
            StreamType.ERROR: True,
            StreamType.STDIN: self.stdin is not None,
            StreamType.STDOUT: self.stdout is not None,
            StreamType.STDERR: self.stderr is not None and not self.tty,
            StreamType.RESIZE: self.tty,
        }
        return [stream_type for stream_type, is_wanted in wanted.items() if is_wanted]


async def run_command(
    url: str,
    streams: CommandStreams,
    *,
    transport: StreamTransport = StreamTransport.SPDY,
    protocols: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Run the session to its end. Cancelling it closes the connection.

    Offers all `protocols` of the transport by default, the newest first. Raises Unavailable if the connection ends
    before the command, NotFound for a used or expired URL, DeadlineExceeded if the server does not answer,
    ProtocolError, and what a source or sink raises.
    """
    offered = protocols or list(SPDY_PROTOCOLS if transport is StreamTransport.SPDY else WEBSOCKET_PROTOCOLS)
    link = await open_link(url, streams.types(), transport=transport, protocols=offered, tls=tls)
    try:
        return await _Session(link, streams).run()
    finally:
        await link.close()


class _Session:
    def __init__(self, link: SessionStreams, streams: CommandStreams) -> None:
        self._link = link
        self._streams = streams
        self._said = bytearray()  # data of the error stream

    async def run(self) -> Outcome:
        pumps = [  # the size first, because typed input may query it
            asyncio.create_task(self._pump_sizes(), name="terminal sizes"),
            asyncio.create_task(self._pump_stdin(), name="stdin"),
        ]
        receiving = asyncio.create_task(self._link.receive(self._on_output), name="output")
        running = {receiving, *pumps}
        try:
            while not receiving.done():
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await _cancel(receiving, *pumps)
        return self._outcome()

    async def _on_output(self, stream_type: StreamType, data: Buffer) -> None:
        if stream_type is StreamType.ERROR:
            self._said += data
            if len(self._said) > STATUS_LIMIT_BYTES:
                raise ProtocolError(f"the server wrote more than {STATUS_LIMIT_BYTES} bytes about the end")
            return
        sink = self._streams.stdout if stream_type is StreamType.STDOUT else self._streams.stderr
        if sink is not None:
            await sink.write(data)

    async def _pump_stdin(self) -> None:
        source = self._streams.stdin
        if source is None:
            return
        with contextlib.suppress(Unavailable, FailedPrecondition):  # the receiving task reports the failure
            while data := await source.read():
                await self._link.send(StreamType.STDIN, data)
            await self._link.end(StreamType.STDIN)

    async def _pump_sizes(self) -> None:
        sizes = self._streams.sizes
        if sizes is None or not self._streams.tty or not self._link.version.has_resize:
            return
        with contextlib.suppress(Unavailable, FailedPrecondition):
            async for size in sizes:
                await self._link.send(StreamType.RESIZE, pack_size(size))

    def _outcome(self) -> Outcome:
        if not self._said and self._link.version.has_json_status:
            raise Unavailable("the streaming connection ended before the command did")
        return parse_outcome(bytes(self._said), self._link.version)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
