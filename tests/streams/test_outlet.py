"""Outlets on real sockets: nobody waits before the limit, nothing is lost or reordered, broken ones drop all."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator

from podwright.conformance.patience import patient
from podwright.streams.outlet import Outlet

WAIT_S = patient(60.0)
LIMIT_BYTES = 100_000


@contextlib.asynccontextmanager
async def outlet() -> AsyncIterator[tuple[Outlet, socket.socket]]:
    """An outlet, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        made = Outlet(ours, limit_bytes=LIMIT_BYTES)
        try:
            async with asyncio.timeout(WAIT_S):
                yield made, theirs
        finally:
            await made.close()


async def read_all(connection: socket.socket) -> bytes:
    whole = bytearray()
    while data := await asyncio.get_running_loop().sock_recv(connection, 65536):
        whole += data
    return bytes(whole)


async def fill(made: Outlet) -> asyncio.Task[None]:
    """Write until a write waits."""
    while True:
        writing = asyncio.create_task(made.write(bytes(LIMIT_BYTES // 4)))
        await asyncio.sleep(0)
        if not writing.done():
            return writing


async def test_everything_arrives_in_its_order() -> None:
    bulk = hashlib.shake_256(b"outlet").digest(3_000_000)
    async with outlet() as (made, theirs):
        reading = asyncio.create_task(read_all(theirs))
        buffer = bytearray(70_000)
        for begin in range(0, len(bulk), 70_000):
            piece = bulk[begin : begin + 70_000]
            buffer[: len(piece)] = piece
            await made.write(memoryview(buffer)[: len(piece)])
            buffer[:] = bytes(len(buffer))  # what was given is ours again
        made.finish()
        assert hashlib.sha256(await reading).digest() == hashlib.sha256(bulk).digest()


async def test_a_writer_waits_only_for_a_reader_that_is_far_behind() -> None:
    async with outlet() as (made, theirs):
        writing = await fill(made)
        reading = asyncio.create_task(read_all(theirs))
        await writing
        made.finish()
        assert len(await reading) % (LIMIT_BYTES // 4) == 0


async def test_a_reader_that_goes_sets_writers_free() -> None:
    async with outlet() as (made, theirs):
        writing = await fill(made)
        theirs.close()
        await writing
        assert made.broken
        await made.write(b"nobody hears it")
        await made.drained()


async def test_closing_sets_writers_free() -> None:
    async with outlet() as (made, _):
        writing = await fill(made)
        await made.close()
        await writing


async def test_nothing_is_written_after_the_end() -> None:
    async with outlet() as (made, theirs):
        await made.write(b"last words")
        made.finish()
        made.finish()
        await made.write(b"too late")
        assert await read_all(theirs) == b"last words"
