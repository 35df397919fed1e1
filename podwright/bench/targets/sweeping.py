"""Removes a run's pods in any state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from podwright.bench.timing import side_by_side
from podwright.errors import PodwrightError

LIMIT_S = 120.0
PAUSE_S = 0.3
CONCURRENCY = 8


async def sweep_until_empty(
    list_ids: Callable[[], Awaitable[list[str]]], discard: Callable[[str], Awaitable[None]]
) -> None:
    """Discard listed objects until none is listed.

    A sandbox in creation is listed only when it is ready, so the list must be empty twice. A failure is retried in
    the next round, and raised after the limit.
    """
    deadline = time.monotonic() + LIMIT_S
    empty_seen = 0
    while empty_seen < 2:
        ids = await list_ids()
        empty_seen = 0 if ids else empty_seen + 1
        failures = [failure for failure in await side_by_side(ids, _tried(discard), CONCURRENCY) if failure]
        if failures and time.monotonic() > deadline:
            raise failures[0]
        if failures or empty_seen == 1:
            await asyncio.sleep(PAUSE_S)


def _tried(discard: Callable[[str], Awaitable[None]]) -> Callable[[str], Awaitable[PodwrightError | None]]:
    async def attempt(identity: str) -> PodwrightError | None:
        try:
            await discard(identity)
        except PodwrightError as failure:
            return failure
        return None

    return attempt
