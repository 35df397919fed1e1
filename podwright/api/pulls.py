"""Watches pulls as a client.

Used by the CLI and the agent. Other runtimes lack the call, and `followed` does nothing there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from podwright.api.client import pulls
from podwright.api.pull_state import ENDED, PullMeter, PullState
from podwright.api.v1 import pulls_pb2 as api
from podwright.cri.client import CriClient
from podwright.errors import PodwrightError


async def states(looks: AsyncIterator[api.WatchPullsResponse]) -> AsyncIterator[list[PullState]]:
    """The states in a stream of WatchPulls. Raises what it raises."""
    meters: dict[tuple[str, int], PullMeter] = {}
    async for look in looks:
        now_s = time.monotonic()
        known, meters = meters, {}
        current = []
        for pull in look.pulls:
            key = (pull.reference, pull.began_at)
            meters[key] = known.get(key) or PullMeter()
            current.append(meters[key].state(pull, now_s))
        yield current


@contextlib.asynccontextmanager
async def followed(cri: CriClient, image: str, tell: Callable[[PullState], None]) -> AsyncIterator[None]:
    """Call `tell` with the progress of the pull of `image` while the block runs, if the runtime reports it."""
    task = asyncio.create_task(_follow(cri, image, tell), name=f"follow the pull of {image}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _follow(cri: CriClient, image: str, tell: Callable[[PullState], None]) -> None:
    with contextlib.suppress(PodwrightError):  # the pull itself reports its failure
        async for current in states(cri.stream(pulls(cri).WatchPulls, api.WatchPullsRequest(image=image))):
            for state in current:
                if state.stage not in ENDED:
                    tell(state)
