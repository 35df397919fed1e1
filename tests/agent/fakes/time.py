"""Virtual time: sleeps and timeouts take none of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime

Result = TypeVar("Result")

START_NS = 1_700_000_000 * 10**9
STEP_S = 1e-7  # no two readings are equal, so that "before" and "after" always mean something


class VirtualClock:
    """The event loop's time, and the epoch's beside it. `jump_s` moves the wall clock alone."""

    def __init__(self) -> None:
        self.jump_s = 0.0
        self._readings = 0

    def monotonic(self) -> float:
        """See Clock."""
        self._readings += 1
        return asyncio.get_running_loop().time() + self._readings * STEP_S

    def now_ns(self) -> int:
        """See Clock."""
        return START_NS + int((self.monotonic() + self.jump_s) * 1e9)


def run_virtual(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a loop of virtual time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(work)
