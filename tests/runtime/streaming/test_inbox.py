"""An inbox keeps what came, in order, and makes its filler wait when nobody takes it."""

from __future__ import annotations

import asyncio

from podwright.runtime.streaming.inbox import CHUNK_COST_BYTES, LIMIT_BYTES, Inbox


async def test_what_went_in_comes_out() -> None:
    inbox = Inbox()
    buffer = bytearray(b"one")
    await inbox.put(memoryview(buffer))
    buffer[:] = b"XXX"  # the wire's buffer is used again
    await inbox.put(b"two")
    inbox.end()
    assert [await inbox.get() for _ in range(4)] == [b"one", b"two", b"", b""]


async def test_a_full_one_makes_its_filler_wait() -> None:
    inbox = Inbox()
    filling = asyncio.create_task(inbox.put(bytes(LIMIT_BYTES)))
    await asyncio.sleep(0)
    assert not filling.done()
    await inbox.get()
    await filling


async def test_tiny_chunks_are_bounded_too() -> None:
    inbox = Inbox()
    count = 0

    async def fill() -> None:
        nonlocal count
        while True:
            await inbox.put(b"x")
            count += 1

    filling = asyncio.create_task(fill())
    await asyncio.sleep(0)
    filling.cancel()
    assert count <= LIMIT_BYTES // CHUNK_COST_BYTES


async def test_an_abandoned_one_takes_everything_and_holds_nothing() -> None:
    inbox = Inbox()
    filling = asyncio.create_task(inbox.put(bytes(LIMIT_BYTES)))
    await asyncio.sleep(0)
    inbox.abandon()
    await filling
    await inbox.put(bytes(10 * LIMIT_BYTES))
    assert await inbox.get() == b""


async def test_a_reader_wakes_at_the_end() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.end()
    assert await reading == b""
