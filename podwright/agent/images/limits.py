"""Limits how many pulls run at a time, and how many begin in a second."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager

from podwright.agent.clock import Clock
from podwright.errors import ResourceExhausted


class PullLimits:
    """The node's limits (serializeImagePulls, maxParallelImagePulls, registryPullQPS, registryBurst)."""

    def __init__(self, clock: Clock, *, parallel: int | None = 1, qps: float = 5, burst: int = 10) -> None:
        """`parallel` None: no limit. `qps` 0: no limit."""
        self._clock = clock
        self._turns = asyncio.Semaphore(parallel) if parallel else None
        self._qps = qps
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at: float | None = None

    def turn(self) -> AbstractAsyncContextManager[object]:
        """Wait for a pull's turn, first come, first served.

        (The kubelet has a queue of 10, and the eleventh waits too.)
        """
        return self._turns if self._turns is not None else contextlib.nullcontext()

    def begin(self) -> None:
        """Count one pull. Raises ResourceExhausted if too many have begun: a pull does not wait for this limit."""
        if not self._qps:
            return
        now = self._clock.monotonic()
        passed_s = 0.0 if self._counted_at is None else now - self._counted_at
        self._counted_at = now
        self._tokens = min(self._tokens + passed_s * self._qps, float(self._burst))
        if self._tokens < 1:
            raise ResourceExhausted("pull QPS exceeded")
        self._tokens -= 1
