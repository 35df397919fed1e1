"""How long to wait after failures. Pure. Numbers of client-go's reflector."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 0.8
LONGEST_S = 30.0
FACTOR = 2.0
# After that long without a failure the next wait is the first one again.
RESET_S = 120.0


class Backoff:
    """Waits that double, each longer by chance by up to its double, so that a cluster's nodes do not come at once.

    `chance` gives numbers from 0 to 1.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next_s = FIRST_S
        self._asked_at: float | None = None

    def wait_s(self, now: float) -> float:
        """The wait after a failure at `now`."""
        if self._asked_at is not None and now - self._asked_at > RESET_S:
            self._next_s = FIRST_S
        self._asked_at = now
        wait = self._next_s * (1.0 + self._chance())
        self._next_s = min(LONGEST_S, self._next_s * FACTOR)
        return wait
