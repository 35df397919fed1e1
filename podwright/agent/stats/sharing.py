"""Lets callers at about the same time share one measurement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from podwright.agent.clock import Clock
from podwright.tasks import retrieve

Value = TypeVar("Value")

FRESH_S = 2.0  # several scrapers at once cost one measurement


class SharedMeasurement(Generic[Value]):
    """The last value, which is valid for FRESH_S. Callers during a measurement wait for its value."""

    def __init__(self, measure: Callable[[], Awaitable[Value]], clock: Clock) -> None:
        self._measure = measure
        self._clock = clock
        self._value: tuple[float, Value] | None = None
        self._under_way: asyncio.Task[Value] | None = None

    async def get(self, *, fresh: bool = False) -> Value:
        """The value. `fresh` starts a measurement unless one is running. Raises what `measure` raises."""
        if not fresh and self._value is not None and self._clock.monotonic() - self._value[0] < FRESH_S:
            return self._value[1]
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._run(), name="measure")
            self._under_way.add_done_callback(self._ended)
        return await asyncio.shield(self._under_way)

    async def _run(self) -> Value:
        value = await self._measure()
        self._value = self._clock.monotonic(), value
        return value

    def _ended(self, task: asyncio.Task[Value]) -> None:
        self._under_way = None
        retrieve(task)

    async def close(self) -> None:
        """Cancel a running measurement."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait({self._under_way})
