"""A bounded cache of answers with a time to live. Concurrent equal questions share one call."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from podwright.agent.clock import Clock
from podwright.tasks import retrieve

Value = TypeVar("Value")

ENTRIES = 4096


class AnswerCache(Generic[Value]):
    """The answers by key, each with its own time to live. Failures are not kept."""

    def __init__(self, clock: Clock, lifetime_s: Callable[[Value], float], *, entries: int = ENTRIES) -> None:
        """`lifetime_s` returns how long an answer is valid."""
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._entries = entries
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[Value]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        """The kept answer, or a new one. Raises what `ask` raises."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            return kept[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key, ask), name="review")
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(asking)

    def _ended(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        del self._asking[key]
        retrieve(task)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        answer = await ask()
        self._kept[key] = self._clock.monotonic() + self._lifetime_s(answer), answer
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
        return answer
