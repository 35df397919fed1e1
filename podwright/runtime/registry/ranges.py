"""Downloads one large blob over several connections: requests segments ahead and writes them in order.

Many registries and networks limit the rate per connection. `client` decides how a segment is requested and what
happens after a failure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

SEGMENT_BYTES = 4 << 20  # small enough to keep several in memory, large enough to outweigh a request's cost
LEAST_BYTES = 4 * SEGMENT_BYTES  # a smaller remainder is not worth several connections
FAST_BYTES_S = 64 << 20  # at this rate the connection is not the bottleneck


class Connections:
    """The number of connections that a pull has open for blobs.

    Segments count until written, which bounds the memory.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    def __enter__(self) -> None:
        self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Count one more, even over the limit, because each blob may have one."""
        self._open += 1

    def close(self) -> None:
        """Count one less."""
        self._open -= 1

    @property
    def to_spare(self) -> bool:
        """Whether a blob may open another one."""
        return self._open < self._limit


async def in_order(
    start: int,
    end: int,
    fetch: Callable[[int, int], Coroutine[Any, Any, bytearray]],
    write: Callable[[bytearray], Awaitable[None]],
    connections: Connections,
) -> None:
    """Write bytes `start` to `end` (exclusive) from `fetch`, several segments ahead while connections are free.

    Raises what `fetch` raises for the first failed segment, after writing all earlier ones, and what `write` raises.
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
