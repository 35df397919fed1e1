"""The daemon's one clock: times that are told apart, whatever they are times of.

Whether a pod's status or an event about it is the newer, and which of two attempts, is seen by their times alone.
"""

from __future__ import annotations

import time


class RecordClock:
    """The time of day in nanoseconds, strictly increasing. Called on the event loop."""

    def __init__(self) -> None:
        self._last_time = 0

    def now(self) -> int:
        """Later than every time that was given before, also when the host's clock is set back."""
        self._last_time = max(time.time_ns(), self._last_time + 1)
        return self._last_time
