"""Updates the node's limits of volumes, for drivers whose CSIDriver asks for that periodically.

The rule is the kubelet's (pkg/volume/csi/csi_node_updater.go of Kubernetes 1.36): nodeAllocatableUpdatePeriodSeconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from podwright.agent.csi.drivers import CsiDrivers
from podwright.errors import PodwrightError
from podwright.k8s.objects import CSIDriver

log = logging.getLogger(__name__)

TICK_S = 10.0  # the shortest period that the API allows


class Refresher:
    """Refreshes drivers. `csi_driver` returns a driver's CSIDriver, or raises PodwrightError until it is known."""

    def __init__(self, drivers: CsiDrivers, csi_driver: Callable[[str], CSIDriver | None]) -> None:
        self._drivers = drivers
        self._csi_driver = csi_driver
        self._done_at: dict[str, float] = {}

    async def run(self) -> None:
        """Refresh forever."""
        while True:
            await asyncio.sleep(TICK_S)
            for name in self._drivers.names():
                try:
                    await self._refresh_if_due(name)
                except PodwrightError as failure:
                    log.warning("a CSI driver's figures are not renewed: driver=%s error=%s", name, failure)

    async def _refresh_if_due(self, name: str) -> None:
        found, now = self._csi_driver(name), asyncio.get_running_loop().time()
        period_s = found.spec.node_allocatable_update_period_seconds if found is not None else None
        last = self._done_at.setdefault(name, now)
        if period_s and now - last >= period_s:
            self._done_at[name] = now
            await self._drivers.refresh(name)
