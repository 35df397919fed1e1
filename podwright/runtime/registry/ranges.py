"""One large blob over several connections: segments are asked for ahead, and handed on in their order.

Many registries, and the networks before them, give each connection its share and no more. How a segment is asked for,
and what follows when one fails, is `client`'s matter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

SEGMENT_BYTES = 4 << 20  # small enough for a few of them to wait in memory, large enough to outweigh a request
LEAST_BYTES = 4 * SEGMENT_BYTES  # of what is missing, for this to be worth while
FAST_BYTES_S = 64 << 20  # a connection at this rate is not what a pull waits for


class Connections:
    """How many connections a pull has open for blobs. Segments count until they are written, so memory is bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    def __enter__(self) -> None:
        self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """One more, even over the limit: each blob may have one."""
        self._open += 1

    def close(self) -> None:
        """One less."""
        self._open -= 1

    @property
    def to_spare(self) -> bool:
        """Whether a blob may have another one."""
        return self._open < self._limit


async def in_order(
    start: int,
    end: int,
    fetch: Callable[[int, int], Coroutine[Any, Any, bytearray]],
    write: Callable[[bytearray], Awaitable[None]],
    connections: Connections,
) -> None:
    """Write bytes `start` to `end` (exclusive) of what `fetch` brings by segments, several ahead when there are
    connections to spare.

    Raises what `fetch` raises for the first segment that fails, all before it being written, and what `write` raises.
    """
    ahead: deque[asyncio.Future[bytearray]] = deque()
    try:
        while start < end or ahead:
            while start < end and (not ahead or connections.to_spare):
                connections.open()
                ahead.append(
                    asyncio.create_task(fetch(start, min(end, start + SEGMENT_BYTES)), name=f"range from byte {start}")
                )
                start += SEGMENT_BYTES
            await write(await ahead[0])
            ahead.popleft()
            connections.close()
    finally:
        for job in ahead:
            job.cancel()
            connections.close()
        await asyncio.gather(*ahead, return_exceptions=True)
