"""The daemon's one clock, which never gives the same time twice.

Clients compare times to find out whether a pod's status or an event is newer, and which attempt is the later one.
"""

from __future__ import annotations

import time


class RecordClock:
    """The time of day in nanoseconds, strictly increasing. Called on the event loop."""

    def __init__(self) -> None:
        self._last_time = 0

    def now(self) -> int:
        """A time later than all earlier ones, even if the host's clock is set back."""
        self._last_time = max(time.time_ns(), self._last_time + 1)
        return self._last_time
