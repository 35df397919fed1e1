"""Work that must not be left half-done when its caller is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_completion(work: Coroutine[Any, Any, Result], *, on_cancel: Callable[[], None] = lambda: None) -> Result:
    """`work`'s result. A cancelled caller is held until the work has ended, and only then cancelled.

    `on_cancel` is called when the caller is cancelled: it may tell the work to end early.
    """
    job = asyncio.create_task(work, name="to completion")
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        on_cancel()
        while not job.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        if not job.cancelled():
            job.exception()  # seen, so that nobody warns of it
        raise
