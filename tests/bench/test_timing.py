"""Work side by side, and its end."""

from __future__ import annotations

import asyncio

import pytest

from podwright.bench.timing import side_by_side, timed_ms
from podwright.errors import Unavailable


async def test_results_come_in_the_order_of_the_items_and_no_more_than_wanted_run_at_once() -> None:
    running, most = 0, 0

    async def act(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (item % 3))
        running -= 1
        return item * 10

    assert await side_by_side(range(20), act, 4) == [item * 10 for item in range(20)]
    assert most == 4


async def test_nothing_to_do() -> None:
    async def act(item: int) -> int:
        return item

    assert await side_by_side([], act, 4) == []


async def test_the_first_failure_stops_the_rest() -> None:
    ended: list[str] = []

    async def act(item: int) -> None:
        try:
            await asyncio.sleep(0 if item == 1 else 60)
            raise Unavailable(f"item {item}")
        except asyncio.CancelledError:
            ended.append(f"item {item}")
            raise

    with pytest.raises(Unavailable, match="item 1"):
        await side_by_side(range(8), act, 3)
    assert sorted(ended) == ["item 0", "item 2"]


async def test_a_stop_watch() -> None:
    result, taken_ms = await timed_ms(asyncio.sleep(0.01, "done"))
    assert result == "done"
    assert taken_ms >= 9
