"""The clocks of the agent. Waiting is asyncio's: a test on virtual time has an event loop for that."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for people and files, one for deadlines."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch. Jumps when somebody sets the machine's clock."""

    def monotonic(self) -> float:
        """Seconds of the event loop's clock, which never jumps. `asyncio` deadlines are on it."""


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def utc_now(clock: Clock) -> datetime:
    """The wall time in the form of the API's objects."""
    return datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
