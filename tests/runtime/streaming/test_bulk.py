"""Bulk through a command, from stdin to stdout: unharmed, at the reader's pace, and in little memory."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import running_pod
from podwright.conformance.streams import CollectingSink, exec_url
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.wire import Buffer
from tests.faults.vitals import MIB, resident_bytes
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

WAIT_S = patient(110.0)
SOCKETS_MIB = 50  # more than all sockets and pipes on the way hold
CHUNK_BYTES = 100_000
BLOCK = hashlib.shake_256(b"bulk").digest(7 * CHUNK_BYTES)  # no whole number of pages, pipes or frames

# Transport, protocol, MiB; those without a half-close are read by a command that knows how much will come.
PROTOCOLS = [
    pytest.param(StreamTransport.SPDY, "v4.channel.k8s.io", 100, id="spdy-v4"),
    pytest.param(StreamTransport.WEBSOCKET, "v5.channel.k8s.io", 100, id="websocket-v5"),
    pytest.param(StreamTransport.SPDY, "v3.channel.k8s.io", 10, id="spdy-v3"),
    pytest.param(StreamTransport.SPDY, "v2.channel.k8s.io", 10, id="spdy-v2"),
    pytest.param(StreamTransport.SPDY, "channel.k8s.io", 10, id="spdy-v1"),
    pytest.param(StreamTransport.WEBSOCKET, "v4.channel.k8s.io", 10, id="websocket-v4"),
    pytest.param(StreamTransport.WEBSOCKET, "v4.base64.channel.k8s.io", 10, id="websocket-v4-base64"),
    pytest.param(StreamTransport.WEBSOCKET, "channel.k8s.io", 10, id="websocket-v1"),
    pytest.param(StreamTransport.WEBSOCKET, "base64.channel.k8s.io", 10, id="websocket-v1-base64"),
]
HALF_CLOSE = {"v5.channel.k8s.io"}


class Bulk:
    """A source of so many bytes; counts and digests what it has given."""

    def __init__(self, size_bytes: int, *, ends: bool) -> None:
        self._left_bytes = size_bytes
        self._ends = ends
        self.given_bytes = 0
        self.digest = hashlib.sha256()

    async def read(self) -> bytes:
        if not self._left_bytes and not self._ends:
            await asyncio.get_running_loop().create_future()
        begin = self.given_bytes % len(BLOCK)
        chunk = BLOCK[begin : begin + min(CHUNK_BYTES, self._left_bytes)]
        self._left_bytes -= len(chunk)
        self.given_bytes += len(chunk)
        self.digest.update(chunk)
        return chunk


class Gated:
    """A sink that takes nothing before it is opened."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.taken_bytes = 0
        self.digest = hashlib.sha256()

    async def write(self, data: Buffer) -> None:
        await self.gate.wait()
        self.taken_bytes += len(data)
        self.digest.update(data)


@pytest.mark.parametrize(("transport", "protocol", "size_mib"), PROTOCOLS)
async def test_bulk(
    podwright_server: Podwright, busybox_image: str, transport: StreamTransport, protocol: str, size_mib: int
) -> None:
    half_close = (transport is StreamTransport.SPDY and protocol != "channel.k8s.io") or protocol in HALF_CLOSE
    async with podwright_server.client() as client, running_pod(podwright_server.peer(client), busybox_image) as pod:
        command = ("cat",) if half_close else ("head", "-c", str(size_mib * MIB))
        url = await exec_url(pod, await pod.run(), *command, stdin=True)
        given, taken = Bulk(size_mib * MIB, ends=half_close), Gated()
        streams = CommandStreams(stdin=given, stdout=taken, stderr=CollectingSink())
        before = resident_bytes(podwright_server)
        running = asyncio.create_task(run_command(url, streams, transport=transport, protocols=[protocol]))
        if size_mib > SOCKETS_MIB:
            assert await stands_still(given) < SOCKETS_MIB * MIB
        taken.gate.set()
        most_bytes = await most_memory(podwright_server, running)
        assert (await running).failure == ""
        assert (taken.taken_bytes, taken.digest.digest()) == (given.given_bytes, given.digest.digest())
        assert most_bytes - before < 32 * MIB


async def stands_still(source: Bulk) -> int:
    """Wait until nothing more is read of a source whose bytes nobody takes at the other end."""
    last = -1
    async with asyncio.timeout(WAIT_S):
        while last <= 0 or source.given_bytes != last:
            last = source.given_bytes
            await asyncio.sleep(0.5)
    return last


async def most_memory(server: Podwright, running: asyncio.Task[object]) -> int:
    most = 0
    async with asyncio.timeout(WAIT_S):
        while not running.done():
            most = max(most, resident_bytes(server))
            await asyncio.wait({running}, timeout=0.1)
    return most
