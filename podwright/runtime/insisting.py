"""Steps that must succeed eventually, such as recording that a process has ended.

They can fail while file descriptors or memory are exhausted. Giving up would leave a record that says permanently that
the process runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0


async def insist(step: Callable[[], Awaitable[None]], what: str) -> None:
    """Try `step` until it succeeds, with growing pauses. `what` names it in the log."""
    delay_s = FIRST_DELAY_S
    while True:
        try:
            await step()
        except Exception as failure:  # any failure: giving up would be worse
            log.warning(
                "step failed, trying again: step=%s delay_s=%g error=%s",
                what,
                delay_s,
                failure or type(failure).__name__,
            )
            log.debug("step failed: step=%s", what, exc_info=failure)
        else:
            return
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)
