"""Deletes the ResourceSlices of drivers that are gone, so that no pod is scheduled to their devices.

At the agent's start no driver has registered yet, and all slices of the node are deleted: drivers publish them again.
Later, a driver that is gone has WITHDRAW_AFTER_S to register again (pkg/kubelet/cm/dra of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging

from podwright.agent.resources.claims.api import Claims
from podwright.errors import PodwrightError
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

WITHDRAW_AFTER_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
EVERY_DRIVER = ""


class SliceWithdrawal:
    """Deletes slices after a delay."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._tasks = Tasks()
        self._pending: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Delete all slices of the node: no driver has registered yet."""
        self._tasks.start(self._withdraw(EVERY_DRIVER, 0.0), name="withdraw the slices of all drivers")

    def usable(self, driver: str) -> None:
        """Note that the driver is usable: keep its slices."""
        if (pending := self._pending.pop(driver, None)) is not None:
            pending.cancel()

    def gone(self, driver: str) -> None:
        """Note that the driver is gone. Its slices are deleted WITHDRAW_AFTER_S after the first call."""
        if driver not in self._pending:
            work = self._withdraw(driver, WITHDRAW_AFTER_S)
            self._pending[driver] = self._tasks.start(work, name=f"withdraw the slices of {driver}")

    async def close(self) -> None:
        """Stop deleting slices."""
        await self._tasks.close()

    async def _withdraw(self, driver: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._claims.withdraw(driver)
            except PodwrightError as failure:
                log.debug(
                    "cannot delete ResourceSlices of this node, trying again: driver=%s error=%s",
                    driver or "all",
                    failure,
                )
            else:
                log.info("ResourceSlices of this node are deleted: driver=%s", driver or "all")
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
