"""Streams whose clients, containers or daemon end or misbehave: the connection ends, everything else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, serving
from podwright.conformance.streams import (
    CollectingSink,
    Given,
    Speech,
    attach_url,
    exec_url,
    forward_url,
    forwarded,
    read_all,
    streamed_exec,
)
from podwright.errors import FailedPrecondition, PodwrightError, Unavailable
from podwright.streams import negotiation
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport, upgrade
from podwright.streams.client.port_forward import forwarding
from podwright.streams.port_forward import PROTOCOL
from podwright.streams.spdy import frames
from podwright.streams.spdy.frames import FrameType
from podwright.streams.spdy.headers import HeaderPacker
from podwright.streams.spdy.session import Role, SpdySession
from podwright.streams.websocket import handshake
from podwright.streams.wire import Buffer, Wire
from tests.faults.audit import records
from tests.faults.node import Node, eventually
from tests.faults.vitals import MIB, Vitals, recovered, resident_bytes, vitals

pytestmark = [pytest.mark.root]

WAIT_S = patient(60.0)
MARK = "/tmp/9866"  # in the arguments of commands that must end
SERVERS = serving({7: "cat", 9: "yes"})
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
TRANSPORTS = [StreamTransport.SPDY, StreamTransport.WEBSOCKET]
FLOOD_FRAMES = 1_500_000 // 12


@pytest_asyncio.fixture
async def pod(node: Node) -> AsyncIterator[CasePod]:
    """With a container that listens; afterwards the daemon has made no traceback, and nothing stays."""
    made = await node.pod()
    await made.run_ready(SERVERS)
    yield made
    await node.emptied()
    assert "Traceback" not in node.server.log.read_text()


# -- clients that vanish


async def connected(url: str, transport: StreamTransport, protocol: str = V4) -> Wire:
    """A connection after its upgrade."""
    if transport is StreamTransport.SPDY:
        return (await upgrade(url, "POST", negotiation.spdy_request_headers([protocol]))).wire
    offered = [protocol]
    return (await upgrade(url, "GET", handshake.request_headers(handshake.new_key(), offered))).wire


async def until_closed(wire: Wire) -> int:
    """How many bytes came before the server closed the connection."""
    count = 0
    async with asyncio.timeout(WAIT_S):
        with contextlib.suppress(ConnectionError):
            while data := await wire.receive():
                count += len(data)
    await wire.close()
    return count


def reset(wire: Wire) -> None:
    """Close with a RST, as a machine does that has lost its power and come back."""
    connection: socket.socket = wire._socket  # type: ignore[attr-defined] # no client of ours is so rude
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def opened(*types: str) -> bytes:
    """SYN_STREAMs of an exec's streams."""
    session = SpdySession(Role.CLIENT)
    return b"".join(session.open_stream({"streamtype": each})[1] for each in types)


async def no_process(pod: CasePod, container: str, name: str) -> None:
    async def gone() -> bool:
        return name not in (await pod.exec(container, "ps")).stdout.decode()

    await eventually(gone, f"{name} ends")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_vanishes_in_an_exec(node: Node, pod: CasePod, transport: StreamTransport) -> None:
    """Its command sees the end of its input, and EPIPE; nothing else is left of it."""
    container, before = pod.containers[0], vitals(node)
    for command in (("tee", MARK), ("yes", MARK), ("sh", "-c", f"yes {MARK} & tee {MARK}")):
        wire = await connected(await exec_url(pod, container, *command, stdin=True), transport)
        await wire.send(opened("error", "stdin", "stdout", "stderr") if transport is StreamTransport.SPDY else b"")
        await wire.receive()
        reset(wire)
    await no_process(pod, container, MARK)
    await recovered(node, before)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_vanishes_in_an_attach(node: Node, pod: CasePod, transport: StreamTransport) -> None:
    container = await pod.run(("sh", "-c", "echo ready; while read x; do echo got $x; done"), stdin=True, name="c1")
    before = vitals(node)
    for _ in range(5):
        wire = await connected(await attach_url(pod, container, stdin=True), transport)
        await wire.send(opened("error", "stdin", "stdout", "stderr") if transport is StreamTransport.SPDY else b"")
        await wire.receive()
        reset(wire)
    await recovered(node, before)
    assert (await pod.exec(container, "echo", "alive")).stdout == b"alive\n"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_vanishes_in_a_port_forward(node: Node, pod: CasePod, transport: StreamTransport) -> None:
    before = vitals(node)
    for port in (7, 9):
        async with forwarding(await forward_url(pod), transport=transport) as forwarder:
            ours = [asyncio.create_task(hold(forwarder.forward, port)) for _ in range(10)]
            await asyncio.sleep(0.2)
        assert all(isinstance(end, PodwrightError | None) for end in await asyncio.gather(*ours))
    await recovered(node, before)


async def hold(forward: Callable[[socket.socket, int], Awaitable[None]], port: int) -> PodwrightError | None:
    """A local connection that says something and reads nothing."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours:
        ours.send(b"words")
        try:
            await forward(theirs, port)
        except Unavailable as ended:
            return ended
    return None


# -- clients that break their protocol


def bomb() -> bytes:
    """A header block of 60 MiB in a frame of 64 KiB."""
    import zlib  # noqa: PLC0415 # only here

    from podwright.streams.spdy.dictionary import DICTIONARY  # noqa: PLC0415 # only here

    compressor = zlib.compressobj(9, zdict=DICTIONARY)
    return frames.syn_stream(1, compressor.compress(bytes(60 * MIB)) + compressor.flush(zlib.Z_SYNC_FLUSH))


HOSTILE_SPDY = {
    "no SPDY": b"GET / HTTP/1.1\r\n\r\n" * 100,
    "a bomb": bomb(),
    "a control frame of 16 MiB": bytes.fromhex("8003000100ffffff") + bytes(100_000),
    "data on no stream": frames.data_header(9, 5) + b"hello",
    "a stream id twice": opened("error") * 2,
    "garbage for headers": frames.syn_stream(1, b"\xff" * 100),
    "an unknown frame": frames.control_frame(FrameType.PING, b"1234").replace(b"\x00\x06", b"\x00\x63", 1),
}
HOSTILE_WEBSOCKET = {
    "no WebSocket": b"GET / HTTP/1.1\r\n\r\n" * 100,
    "a frame of 8 EiB": bytes.fromhex("82ff7fffffffffffffff") + bytes(100_000),
    "an unmasked frame": bytes.fromhex("820100"),
    "a reserved opcode": bytes.fromhex("838000000000"),
    "half a close code": bytes.fromhex("88810000000003"),
    "a channel closed by three bytes": bytes.fromhex("828300000000ff0000"),
}


async def test_hostile_bytes_end_their_connection(node: Node, pod: CasePod) -> None:
    container, before = pod.containers[0], vitals(node)
    for said in HOSTILE_SPDY.values():
        for url in (await exec_url(pod, container, "tee", MARK, stdin=True), await attach_url(pod, container)):
            await ends_with(await connected(url, StreamTransport.SPDY), said)
        await ends_with(await connected(await forward_url(pod), StreamTransport.SPDY, PROTOCOL), said)
    for said in HOSTILE_WEBSOCKET.values():
        for url in (await exec_url(pod, container, "tee", MARK, stdin=True), await attach_url(pod, container)):
            await ends_with(await connected(url, StreamTransport.WEBSOCKET, V5), said)
        if b"\xff\0\0" not in said:  # a tunnel has no channels
            await ends_with(await connected(await forward_url(pod), StreamTransport.WEBSOCKET, handshake.TUNNEL), said)
    await no_process(pod, container, MARK)
    await recovered(node, before)


async def ends_with(wire: Wire, said: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        await wire.send(said)
    await until_closed(wire)


async def test_floods_end_their_connection_and_cost_little(node: Node, pod: CasePod) -> None:
    """Pings and streams without number, from a client that reads no answer."""
    before, memory_before = vitals(node), resident_bytes(node.server)
    packer = HeaderPacker()
    streams = b"".join(frames.syn_stream(2 * number + 1, packer.pack({"a": "b"})) for number in range(100_000))
    for flood in (frames.ping(1) * FLOOD_FRAMES, streams):
        wire = await connected(await forward_url(pod), StreamTransport.SPDY, PROTOCOL)
        with contextlib.suppress(ConnectionError):
            for _ in range(4):
                await wire.send(flood)
        assert resident_bytes(node.server) < memory_before + 64 * MIB
        reset(wire)
    await recovered(node, before)
    assert (await streamed_exec(pod, pod.containers[0], "true", speech=Speech())).outcome.exit_code == 0


# -- containers and daemons that end


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_container_that_dies_under_its_streams(node: Node, transport: StreamTransport) -> None:
    pod = await node.pod()
    container = await pod.run_ready(SERVERS, stdin=True)
    before = vitals(node)
    out = CollectingSink()
    urls = (await exec_url(pod, container, "cat", stdin=True), await attach_url(pod, container, stdin=True))
    sessions = [
        asyncio.create_task(
            run_command(
                url,
                CommandStreams(stdin=Given(b"words\n", open_ended=True), stdout=out, stderr=CollectingSink()),
                transport=transport,
            )
        )
        for url in urls
    ]
    async with forwarding(await forward_url(pod), transport=transport) as forwarder:
        async with forwarded(forwarder, 7) as connection:
            await asyncio.get_running_loop().sock_sendall(connection, b"x")
            assert await asyncio.get_running_loop().sock_recv(connection, 1) == b"x"
            await out.until(b"words")
            os.kill(records(node.server, "containers")[container]["pid"], signal.SIGKILL)
            async with asyncio.timeout(WAIT_S):
                killed, attached = await asyncio.gather(*sessions)
            assert (killed.exit_code, killed.failure) == (128 + signal.SIGKILL, "")
            assert attached.failure == ""
            with contextlib.suppress(ConnectionError):
                assert await read_all(connection) == b""
        with pytest.raises(FailedPrecondition, match="refused"):
            async with forwarded(forwarder, 7) as connection:
                assert await read_all(connection) == b""
        assert not forwarder.ended.is_set()
    await recovered(node, Vitals(fds=before.fds, children=before.children))
    await node.emptied()


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGKILL])
async def test_a_daemon_that_ends_under_its_streams(node: Node, deadly: signal.Signals) -> None:
    """Clients see the end of their connections, commands are gone, and the next daemon serves the container."""
    pod = await node.pod()
    container = await pod.run_ready(SERVERS, stdin=True)
    out = CollectingSink()
    url = await exec_url(pod, container, "sh", "-c", "echo words; exec sleep 9866", stdin=True)
    streams = CommandStreams(stdin=Given(open_ended=True), stdout=out, stderr=CollectingSink())
    running = asyncio.create_task(run_command(url, streams))
    await out.until(b"words")
    async with forwarding(await forward_url(pod)) as forwarder:
        held = asyncio.create_task(hold(forwarder.forward, 7))
        await asyncio.sleep(0.1)
        if deadly is signal.SIGKILL:
            node.server.kill9()
        else:
            assert await asyncio.to_thread(node.server.stop) == 0
        async with asyncio.timeout(WAIT_S):
            await forwarder.ended.wait()
            with pytest.raises(Unavailable):
                await running
            await held
    await node.again()
    await no_process(pod, container, "9866")
    assert (await streamed_exec(pod, container, "echo", "alive", speech=Speech())).out == b"alive\n"
    await node.audited()
    await node.emptied()


# -- many at once, and readers that are slow


class Slow:
    """A sink that takes one piece and stops."""

    async def write(self, data: Buffer) -> None:
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_slow_readers_slow_their_commands_and_cost_little(
    node: Node, pod: CasePod, transport: StreamTransport
) -> None:
    """Fifty at once; what nobody reads stays in the commands' pipes."""
    container, before, memory_before = pod.containers[0], vitals(node), resident_bytes(node.server)
    script = "i=0; while head -c 1048576 /dev/zero; do i=$((i+1)); echo $i >/tmp/$0; done"
    running = []
    for number in range(50):
        url = await exec_url(pod, container, "sh", "-c", script, str(number))
        streams = CommandStreams(stdout=Slow(), stderr=CollectingSink())
        running.append(asyncio.create_task(run_command(url, streams, transport=transport)))
    try:
        await stands_still(pod, container)
        assert resident_bytes(node.server) < memory_before + 64 * MIB
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await no_process(pod, container, "head")
    await recovered(node, before)


async def stands_still(pod: CasePod, container: str) -> None:
    """Wait until the commands have written nothing for a while: at most what sockets and pipes hold, each."""
    last, same = b"", 0
    async with asyncio.timeout(WAIT_S):
        while same < 3:
            await asyncio.sleep(0.3)
            now = (await pod.exec(container, "sh", "-c", "cat /tmp/* 2>/dev/null; ls /tmp | wc -l")).stdout
            same = same + 1 if now == last else 0
            last = now
    assert all(int(word) < 60 for word in last.split())
