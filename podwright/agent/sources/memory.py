"""Pods that code gives and changes: the source of `podwright run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from podwright.k8s.objects import Pod

RUN = "run"  # the source's name, beside those in `changes`


class MemorySource:
    """Holds one complete set. Belongs to the event loop's thread, and has one reader."""

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
        """The complete set of pods: at once, and after each change. Without end."""
        while True:
            self._changed.clear()
            yield list(self._pods)
            await self._changed.wait()
