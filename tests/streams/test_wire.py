"""Wires on real sockets: what is sent arrives, in one piece and in its order, also through a WebSocket's tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from podwright.streams.errors import ProtocolError
from podwright.streams.tunnel_wire import TunnelWire
from podwright.streams.websocket.connection import CLIENT, SERVER, WebSocket
from podwright.streams.wire import ANSWERS_LIMIT_BYTES, Aside, Buffer, SocketWire, Wire
from tests.streams.splits import pieces

WAIT_S = patient(60.0)
BULK_BYTES = 4 * 1024 * 1024


@contextlib.asynccontextmanager
async def socket_wires() -> AsyncIterator[tuple[SocketWire, SocketWire]]:
    """Two ends of one connection."""
    wires = []
    for end in socket.socketpair():
        end.setblocking(False)
        wires.append(SocketWire(end))
    try:
        async with asyncio.timeout(WAIT_S):
            yield wires[0], wires[1]
    finally:
        for wire in wires:
            await wire.close()


def tunnelled(pair: tuple[SocketWire, SocketWire]) -> tuple[TunnelWire, TunnelWire]:
    return TunnelWire(pair[0], WebSocket(CLIENT)), TunnelWire(pair[1], WebSocket(SERVER))


async def received(wire: Wire, count: int) -> bytes:
    whole = bytearray()
    while len(whole) < count and (data := await wire.receive()):
        whole += data
    return bytes(whole)


@pytest.mark.parametrize("through_tunnel", [False, True], ids=["socket", "tunnel"])
async def test_parts_of_several_senders_do_not_mix(through_tunnel: bool) -> None:
    async with socket_wires() as pair:
        ours, theirs = tunnelled(pair) if through_tunnel else pair
        frames = [bytes([number]) * (BULK_BYTES // 16) for number in range(16)]
        sending = [asyncio.create_task(ours.send(frame[:9], memoryview(frame)[9:])) for frame in frames]
        whole = await received(theirs, BULK_BYTES)
        await asyncio.gather(*sending)
        assert [whole[begin : begin + BULK_BYTES // 16] for begin in range(0, BULK_BYTES, BULK_BYTES // 16)] == frames


@pytest.mark.parametrize("through_tunnel", [False, True], ids=["socket", "tunnel"])
async def test_what_is_pushed_back_comes_first(through_tunnel: bool) -> None:
    async with socket_wires() as pair:
        ours, theirs = tunnelled(pair) if through_tunnel else pair
        await ours.send(b"three")
        theirs.push_back(b"two")
        theirs.push_back(b"one")
        theirs.push_back(b"")
        assert await received(theirs, 11) == b"onetwothree"


@pytest.mark.parametrize("through_tunnel", [False, True], ids=["socket", "tunnel"])
async def test_the_end_is_an_empty_piece(through_tunnel: bool) -> None:
    async with socket_wires() as pair:
        ours, theirs = tunnelled(pair) if through_tunnel else pair
        await ours.send(b"last words")
        await ours.finish()
        assert await received(theirs, 100) == b"last words"
        assert await theirs.receive() == b""


async def test_closing_wakes_who_receives_and_who_sends() -> None:
    async with socket_wires() as (ours, _):
        receiving = asyncio.create_task(ours.receive())
        sending = asyncio.create_task(ours.send(bytes(BULK_BYTES)))
        await asyncio.sleep(0)
        await ours.close()
        assert await receiving == b""
        with pytest.raises(BrokenPipeError):
            await sending
        with pytest.raises(OSError, match="Bad file descriptor"):
            await ours.receive()


class Script:
    """A wire that receives what it is told to."""

    def __init__(self, *said: bytes, takes: bool = True) -> None:
        self._said = list(said)
        self._takes = takes
        self.sent = bytearray()

    async def receive(self) -> Buffer:
        return self._said.pop(0) if self._said else b""

    def push_back(self, data: bytes) -> None:
        self._said.insert(0, data)

    async def send(self, *parts: Buffer) -> None:
        if not self._takes:
            await asyncio.get_running_loop().create_future()
        self.sent += b"".join(parts)

    async def finish(self) -> None:
        return

    async def close(self) -> None:
        return


@given(data=st.data(), sent=st.lists(st.binary(max_size=300), max_size=8), pings=st.booleans())
def test_the_tunnel_gives_the_same_bytes_however_they_are_cut(
    data: st.DataObject, sent: list[bytes], pings: bool
) -> None:
    client = WebSocket(CLIENT)
    ping = Frame(Opcode.PING, b"?").serialize(mask=True) if pings else b""
    stream = b"".join(client.send_message(each) + ping for each in sent)
    cut = data.draw(pieces(stream))

    async def run() -> None:
        script = Script(*cut)
        tunnel = TunnelWire(script, WebSocket(SERVER))
        assert await received(tunnel, 10_000) == b"".join(sent)
        await asyncio.sleep(0)
        assert bytes(script.sent) == Frame(Opcode.PONG, b"?").serialize(mask=False) * (len(sent) if pings else 0)

    asyncio.run(run())


async def test_a_tunnel_of_garbage_is_an_error_with_a_goodbye() -> None:
    script = Script(b"SPDY without a WebSocket")
    with pytest.raises(ProtocolError):
        await TunnelWire(script, WebSocket(SERVER)).receive()
    await asyncio.sleep(0)
    assert script.sent


async def test_nothing_is_sent_into_a_tunnel_after_its_end() -> None:
    tunnel = TunnelWire(Script(WebSocket(CLIENT).close()), WebSocket(SERVER))
    assert await tunnel.receive() == b""
    with pytest.raises(FailedPrecondition):
        await tunnel.send(b"too late")


async def test_answers_that_nobody_reads_are_bounded() -> None:
    aside = Aside(Script(takes=False))
    for _ in range(ANSWERS_LIMIT_BYTES // 1000):
        aside.send(bytes(1000))
    with pytest.raises(ProtocolError, match="does not read the answers"):
        aside.send(bytes(1000))
    aside.cancel()
    await asyncio.sleep(0)
