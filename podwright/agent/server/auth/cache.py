"""Answers that are kept for a while, a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from podwright.agent.clock import Clock

Value = TypeVar("Value")

ENTRIES = 4096


class KeptAnswers(Generic[Value]):
    """By key, each with its own time to live. Failures are not kept."""

    def __init__(self, clock: Clock, lifetime_s: Callable[[Value], float], *, entries: int = ENTRIES) -> None:
        """`lifetime_s` says for how long an answer is good."""
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._entries = entries
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        """The kept answer, or a new one. Raises what `ask` raises."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            return kept[1]
        answer = await ask()
        self._kept[key] = self._clock.monotonic() + self._lifetime_s(answer), answer
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
        return answer
