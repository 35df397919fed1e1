from __future__ import annotations

import asyncio

import pytest

from podwright.errors import NotFound
from podwright.runtime.image.flight import Flights


class Work:
    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.go_on = asyncio.Event()

    async def run(self) -> int:
        self.started += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def settled(tasks: list[asyncio.Task[int]]) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_equal_keys_share() -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.join(key, work.run)) for key in "aab"]
    await settled(tasks)
    work.go_on.set()
    assert len(await asyncio.gather(*tasks)) == 3
    assert work.started == 2
    assert await flights.join("a", work.run) == 3  # done work is not kept


async def test_the_last_waiter_cancels() -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.join("a", work.run)) for _ in range(2)]
    await settled(tasks)
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    assert work.cancelled == 0
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    assert work.cancelled == 1


async def test_everybody_sees_the_failure() -> None:
    flights = Flights[int]()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise NotFound("x")

    results = await asyncio.gather(*(flights.join("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [NotFound] * 3


async def test_close() -> None:
    flights, work = Flights[int](), Work()
    task = asyncio.create_task(flights.join("a", work.run))
    await settled([task])
    await flights.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled == 1
