"""Locks by name: one caller at a time for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """The locks, each kept only while a caller holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, name: Hashable) -> AsyncIterator[None]:
        """Hold the turn of `name` during the block."""
        lock, count = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            lock, count = self._locks[name]
            if count == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, count - 1)
