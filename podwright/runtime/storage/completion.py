"""Work that must not be interrupted when its caller is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_completion(work: Coroutine[Any, Any, Result], *, on_cancel: Callable[[], None] = lambda: None) -> Result:
    """The result of `work`. A cancelled caller waits for the end of the work, and is cancelled then.

    `on_cancel` is called when the caller is cancelled. It may make the work end early.
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
            job.exception()  # read, so that asyncio does not report it
        raise
