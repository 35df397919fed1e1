"""The channels that the sync loop reads: each has its own limit, and none can starve another."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Channels(Generic[Item]):
    """Named queues with one reader, which takes from each in turn."""

    def __init__(self, **limits: int) -> None:
        """`limits` has the channels' names, and how many items each holds."""
        self._limits = limits
        self._queues: dict[str, deque[Item]] = {name: deque() for name in limits}
        self._turns = deque(limits)
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._is_woken = False

    def offer(self, channel: str, item: Item) -> bool:
        """Put an item without waiting. Returns False, and does nothing, if the channel is full."""
        queue = self._queues[channel]
        if len(queue) >= self._limits[channel]:
            return False
        queue.append(item)
        self._news.set()
        return True

    async def put(self, channel: str, item: Item) -> None:
        """Put an item, and wait while the channel is full."""
        while not self.offer(channel, item):
            self._room.clear()
            await self._room.wait()

    def wake(self) -> None:
        """Wake the reader, because something is due sooner than when it began to wait."""
        self._is_woken = True
        self._news.set()

    async def get(self, timeout_s: float | None) -> Item | None:
        """The next item. None after `timeout_s`, or if the reader was woken."""
        try:
            async with asyncio.timeout(timeout_s):
                while (item := self._take()) is None:
                    if self._is_woken:
                        self._is_woken = False
                        return None
                    self._news.clear()
                    await self._news.wait()
                return item
        except TimeoutError:
            return None

    def _take(self) -> Item | None:
        for _ in range(len(self._turns)):
            name = self._turns[0]
            self._turns.rotate(-1)
            if queue := self._queues[name]:
                self._room.set()
                return queue.popleft()
        return None
