"""Measures the calls of a cgroup driver, as the kubelet's cgroup manager does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from podwright.agent.clock import Clock
from podwright.agent.metrics.instruments import Histogram
from podwright.agent.resources.drivers import CgroupDriver
from podwright.agent.resources.limits import CgroupLimits


class MeasuredDriver:
    """Measures the calls of another driver."""

    def __init__(self, driver: CgroupDriver, durations: Histogram, clock: Clock) -> None:
        self._driver = driver
        self._durations = durations
        self._clock = clock

    async def make(self, path: str, limits: CgroupLimits) -> None:
        with self._timed("create"):
            await self._driver.make(path, limits)

    async def limit(self, path: str, limits: CgroupLimits) -> None:
        with self._timed("update"):
            await self._driver.limit(path, limits)

    async def remove(self, path: str) -> None:
        with self._timed("destroy"):
            await self._driver.remove(path)

    @contextlib.contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._durations.observe(self._clock.monotonic() - began, operation)
