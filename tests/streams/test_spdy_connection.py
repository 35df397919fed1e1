"""Connections over real sockets: who is held up by a reader that stands still, and what sets them free."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition, Unavailable
from podwright.streams.spdy.events import StreamOpened
from podwright.streams.spdy.session import DATA_HEADER_BYTES, Role
from podwright.streams.spdy_connection import Opening, SpdyConnection
from podwright.streams.wire import SocketWire

WAIT_S = patient(60.0)
WINDOW_BYTES = 10_000


@dataclass
class Kept:
    """A handler that keeps all, and takes it out of the way when told."""

    data: bytearray = field(default_factory=bytearray)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_data(self, payload: memoryview) -> None:
        self.data += payload
        self.grown.set()

    async def on_end(self, *, reset: bool) -> None:
        """Nothing to do."""

    async def until(self, count_bytes: int) -> None:
        while len(self.data) < count_bytes:
            self.grown.clear()
            await self.grown.wait()


@dataclass
class Sides:
    """A client with two streams, whose data it keeps, and the server that sends."""

    client: SpdyConnection
    server: SpdyConnection
    ids: list[int]
    kept: list[Kept]


@contextlib.asynccontextmanager
async def sides() -> AsyncIterator[Sides]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    wires = [SocketWire(end) for end in ends]

    opened = asyncio.Event()

    async def on_opened(_: StreamOpened) -> Kept:
        opened.set()
        return Kept()

    client = SpdyConnection(wires[0], window_bytes=WINDOW_BYTES)
    server = SpdyConnection(wires[1], role=Role.SERVER, on_opened=on_opened)
    running = [asyncio.create_task(side.run()) for side in (client, server)]
    try:
        async with asyncio.timeout(WAIT_S):
            kept = [Kept(), Kept()]
            await asyncio.sleep(0)  # the announcement goes out
            ids = await client.open(*(Opening(headers={}, handler=each) for each in kept))
            await opened.wait()
            await server.send(ids[0], b"!")
            yield Sides(client, server, ids, kept)
    finally:
        for wire in wires:
            await wire.close()
        await asyncio.gather(*running)


def sending(made: Sides, data: bytes) -> asyncio.Task[None]:
    return asyncio.create_task(made.server.send(made.ids[0], data))


async def test_a_stream_waits_for_its_own_reader_only() -> None:
    async with sides() as made:
        data = bytes(range(256)) * 200
        held_up = sending(made, data)
        await made.kept[0].until(WINDOW_BYTES)
        await made.server.send(made.ids[1], bytes(WINDOW_BYTES))
        await made.kept[1].until(WINDOW_BYTES)
        assert not held_up.done()
        assert len(made.kept[0].data) == WINDOW_BYTES
        for seen in range(WINDOW_BYTES, len(data) + 1, WINDOW_BYTES):
            made.client.taken(made.ids[0], WINDOW_BYTES)
            await made.kept[0].until(min(seen + WINDOW_BYTES, len(data) + 1))
        await held_up
        assert made.kept[0].data == b"!" + data


async def test_data_behind_a_header_goes_in_as_many_frames_as_the_window_wants() -> None:
    async with sides() as made:
        data = bytes(range(256)) * 100
        buffer = memoryview(bytearray(DATA_HEADER_BYTES) + data)
        held_up = asyncio.create_task(made.server.send_behind_header(made.ids[0], buffer, len(data)))
        while not held_up.done():
            seen = len(made.kept[0].data)
            await made.kept[0].until(seen + 1)
            made.client.taken(made.ids[0], len(made.kept[0].data) - seen)
        await made.kept[0].until(1 + len(data))
        assert made.kept[0].data == b"!" + data


async def test_a_reset_sets_the_sender_free() -> None:
    async with sides() as made:
        held_up = sending(made, bytes(2 * WINDOW_BYTES))
        await made.kept[0].until(WINDOW_BYTES)
        made.client.reset(made.ids[0])
        with pytest.raises(FailedPrecondition):
            await held_up


async def test_our_own_reset_sets_the_sender_free() -> None:
    async with sides() as made:
        held_up = sending(made, bytes(2 * WINDOW_BYTES))
        await made.kept[0].until(WINDOW_BYTES)
        made.server.reset(made.ids[0])
        with pytest.raises(FailedPrecondition):
            await held_up


async def test_the_end_of_the_connection_sets_the_sender_free() -> None:
    async with sides() as made:
        held_up = sending(made, bytes(2 * WINDOW_BYTES))
        await made.kept[0].until(WINDOW_BYTES)
        made.client.stop()
        await made.server.send(made.ids[1], b"the last that is received")
        await made.client.ended.wait()
        await made.client._wire.close()  # as the client's owner does
        with pytest.raises(Unavailable):
            await held_up
