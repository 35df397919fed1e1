"""Steps that nobody else takes when they fail: to put on record that a process has ended.

They fail for a while when descriptors or memory run out, and must not be given up for that: the record would say for
ever that the process runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0


async def insist(step: Callable[[], Awaitable[None]], what: str) -> None:
    """Take `step` until it succeeds, after longer and longer pauses; `what` names it in the log."""
    delay_s = FIRST_DELAY_S
    while True:
        try:
            await step()
        except Exception as failure:  # whatever it is, giving up would be worse
            log.warning("%s failed, next try in %g s: error=%s", what, delay_s, failure or type(failure).__name__)
            log.debug("%s failed", what, exc_info=failure)
        else:
            return
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)
