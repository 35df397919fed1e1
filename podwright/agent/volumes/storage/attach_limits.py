"""Finds volumes that cannot be attached because this node has reached the driver's limit.

The scheduler uses the limit in the CSINode, which may be out of date. A pod with such a volume would wait forever, so
it is refused, and the CSINode is corrected. The rule is the kubelet's (VerifyExhaustedResource in pkg/volume/csi of
Kubernetes 1.36).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.plans import CsiPlan, attachment_name
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)

RESOURCE_EXHAUSTED = 8  # of gRPC


class AttachLimits:
    """Checks the volumes that pods wait for."""

    def __init__(self, ports: VolumePorts) -> None:
        self._ports = ports
        self._awaited: dict[str, list[CsiPlan]] = {}  # by the pod's UID

    @contextlib.contextmanager
    def awaited(self, plan: CsiPlan) -> Iterator[None]:
        """Note that the pod waits for the volume while the block runs."""
        plans = self._awaited.setdefault(plan.uid, [])
        plans.append(plan)
        try:
            yield
        finally:
            plans.remove(plan)
            if not plans and self._awaited.get(plan.uid) is plans:
                del self._awaited[plan.uid]

    async def is_exceeded(self, uid: str) -> bool:
        """Whether a volume that the pod waits for exceeds its driver's limit."""
        for plan in tuple(self._awaited.get(uid, ())):
            try:
                if await self._is_over(plan):
                    await self._correct(plan.driver)
                    return True
            except PodwrightError as failure:
                log.warning("cannot find out why a volume is not attached: volume=%s error=%s", plan.name, failure)
        return False

    async def _is_over(self, plan: CsiPlan) -> bool:
        """Whether the volume's attachment failed because of the driver's limit.

        Only for drivers whose CSIDriver asks for such corrections.
        """
        storage = self._ports.storage
        driver = storage.csi_driver(plan.driver)
        if driver is None or not driver.spec.node_allocatable_update_period_seconds:
            return False
        name = attachment_name(plan.driver, plan.handle, self._ports.node.name)
        attachment = await storage.attachment(name)
        error = attachment.status.attach_error if attachment.status is not None else None
        return error is not None and error.error_code == RESOURCE_EXHAUSTED

    async def _correct(self, driver: str) -> None:
        try:
            await self._ports.drivers.refresh(driver)
        except PodwrightError as failure:
            log.warning("a CSI driver's figures are not renewed: driver=%s error=%s", driver, failure)
