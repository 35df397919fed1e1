"""Pods in memory that a caller sets: the source of `podwright run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from podwright.k8s.objects import Pod

RUN = "run"  # the source's name; others are in `changes`


class MemorySource:
    """Holds one complete set. For one reader, in the event loop's thread."""

    def __init__(self, pods: Iterable[Pod] = ()) -> None:
        self._pods = list(pods)
        self._changed = asyncio.Event()

    def set(self, pods: Iterable[Pod]) -> None:
        """Replace the set. A reader that is behind gets the newest set only."""
        wanted = list(pods)
        if wanted != self._pods:
            self._pods = wanted
            self._changed.set()

    async def sets(self) -> AsyncIterator[list[Pod]]:
        """Yield the complete set of pods, at once and after each change. Never ends."""
        while True:
            self._changed.clear()
            yield list(self._pods)
            await self._changed.wait()
