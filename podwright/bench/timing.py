"""Time measurement and concurrency."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def since_ms(started_ns: int) -> float:
    """Milliseconds since a `time.perf_counter_ns`."""
    return (time.perf_counter_ns() - started_ns) / 1e6


async def timed_ms(work: Awaitable[Result]) -> tuple[Result, float]:
    """The result, and its time in milliseconds."""
    started_ns = time.perf_counter_ns()
    result = await work
    return result, since_ms(started_ns)


async def side_by_side(
    items: Sequence[Item], act: Callable[[Item], Awaitable[Result]], concurrency: int
) -> list[Result]:
    """Call `act` on every item, `concurrency` at a time. Returns the results in the order of the items.

    The first failure cancels the others and is raised.
    """
    results: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    async def worker() -> None:
        for index, item in waiting:
            results[index] = await act(item)

    workers = [asyncio.create_task(worker(), name="side by side") for _ in range(min(concurrency, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[index] for index in range(len(items))]
