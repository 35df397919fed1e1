"""Exec, attach and port-forward sessions for cases: what is sent is given, what comes is kept."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import msgspec

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.port_forward import Forwarder
from podwright.streams.remote_command.resize import TerminalSize
from podwright.streams.remote_command.status import Outcome
from podwright.streams.wire import Buffer

WAIT_S = patient(60.0)


class Given:
    """A source of bytes that are given beforehand or along the way."""

    def __init__(self, *chunks: bytes, open_ended: bool = False) -> None:
        """`open_ended`: more follows. Otherwise the end comes after the chunks."""
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        for chunk in chunks:
            self._chunks.put_nowait(chunk)
        if not open_ended:
            self._chunks.put_nowait(b"")

    def give(self, chunk: bytes) -> None:
        """Add data. b"" is the end."""
        self._chunks.put_nowait(chunk)

    async def read(self) -> bytes:
        """As a Source does."""
        return await self._chunks.get()


class CollectingSink:
    """A sink that keeps all."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._grown = asyncio.Event()

    async def write(self, data: Buffer) -> None:
        """As a Sink does."""
        self.data += data
        self._grown.set()

    async def until(self, text: bytes) -> None:
        """Wait until this has come."""
        async with asyncio.timeout(WAIT_S):
            while text not in self.data:
                self._grown.clear()
                await self._grown.wait()


class SessionResult(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is over."""

    outcome: Outcome
    out: bytes
    err: bytes


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """The transport and protocols. Without protocols, all that the transport has."""

    transport: StreamTransport = StreamTransport.SPDY
    protocols: Sequence[str] = ()


async def exec_url(pod: CasePod, container_id: str, *command: str, stdin: bool = False, tty: bool = False) -> str:
    """Exec: its URL."""
    request = api.ExecRequest(
        container_id=container_id, cmd=command, stdin=stdin, stdout=True, stderr=not tty, tty=tty
    )
    return (await pod.cri.call(pod.cri.runtime.Exec, request)).url


async def attach_url(pod: CasePod, container_id: str, *, stdin: bool = False, tty: bool = False) -> str:
    """Attach: its URL."""
    request = api.AttachRequest(container_id=container_id, stdin=stdin, stdout=True, stderr=not tty, tty=tty)
    return (await pod.cri.call(pod.cri.runtime.Attach, request)).url


async def forward_url(pod: CasePod) -> str:
    """PortForward: its URL, for ports that the streams will name."""
    return (await pod.cri.call(pod.cri.runtime.PortForward, api.PortForwardRequest(pod_sandbox_id=pod.id))).url


async def session(
    url: str,
    speech: Speech,
    *,
    stdin: Given | None = None,
    tty: bool = False,
    sizes: AsyncIterator[TerminalSize] | None = None,
) -> SessionResult:
    """A whole session."""
    out, err = CollectingSink(), CollectingSink()
    streams = CommandStreams(stdin=stdin, stdout=out, stderr=None if tty else err, tty=tty, sizes=sizes)
    async with asyncio.timeout(WAIT_S):
        outcome = await run_command(url, streams, transport=speech.transport, protocols=speech.protocols)
    return SessionResult(outcome=outcome, out=bytes(out.data), err=bytes(err.data))


async def streamed_exec(
    pod: CasePod, container_id: str, *command: str, speech: Speech, stdin: Given | None = None, tty: bool = False
) -> SessionResult:
    """Exec, and its whole session."""
    url = await exec_url(pod, container_id, *command, stdin=stdin is not None, tty=tty)
    return await session(url, speech, stdin=stdin, tty=tty)


@contextlib.asynccontextmanager
async def forwarded(forwarder: Forwarder, port: int, *, give_up: bool = False) -> AsyncIterator[socket.socket]:
    """A socket that leads to a port of the pod. Raises what `Forwarder.forward` does, unless it is given up.

    What a pod does not read waits as long as the session: `give_up` does not wait for it.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    forwarding = asyncio.create_task(forwarder.forward(theirs, port), name="forward a port")
    try:
        yield ours
    finally:
        ours.close()
        if give_up:
            forwarding.cancel()
            await asyncio.gather(forwarding, return_exceptions=True)
        else:
            async with asyncio.timeout(WAIT_S):
                await forwarding


async def read_all(connection: socket.socket) -> bytes:
    """Everything until the end."""
    loop = asyncio.get_running_loop()
    whole = bytearray()
    async with asyncio.timeout(WAIT_S):
        while data := await loop.sock_recv(connection, 1 << 20):
            whole += data
    return bytes(whole)
