"""Grows a filesystem on this node after its volume has grown (operationexecutor/node_expander.go of 1.36)."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.agent.clock import utc_now
from podwright.agent.csi.calls import CsiNode
from podwright.agent.csi.values import Capabilities, CsiFailed, DriverCapability, VolumeCall
from podwright.agent.volumes.failures import StepFailed
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.binding import STORAGE
from podwright.agent.volumes.storage.csi_inputs import access_of
from podwright.agent.volumes.storage.plans import CsiPlan
from podwright.errors import PodwrightError
from podwright.k8s.objects import PersistentVolumeClaim, Pod
from podwright.k8s.quantity import whole
from podwright.k8s.times import format_time

PENDING, IN_PROGRESS, INFEASIBLE = "NodeResizePending", "NodeResizeInProgress", "NodeResizeInfeasible"
# Conditions of the API's controllers about an expansion in progress.
CONDITIONS = ("Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError")
RESIZE_ERROR = "NodeResizeError"
SUCCEEDED, FAILED = "FileSystemResizeSuccessful", "VolumeResizeFailed"


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted size of a volume, as the API writes it and in bytes."""

    text: str
    size_bytes: int


class DriverVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume and its driver. `path` is where a pod has it, `staged` where it is staged, or empty."""

    node: CsiNode
    can: Capabilities
    path: str
    staged: str


def wanted_growth(plan: CsiPlan) -> Growth | None:
    """How the volume must grow on this node now. None if it must not, or not yet."""
    claim, volume = plan.claim, plan.persistent
    if claim is None or volume is None or plan.read_only:
        return None
    wanted = volume.spec.capacity.get(STORAGE, "0")
    if whole(claim.status.capacity.get(STORAGE, "0")) >= whole(wanted):
        return None
    if allocated := claim.status.allocated_resources.get(STORAGE):
        if claim.status.allocated_resource_statuses.get(STORAGE) not in (PENDING, IN_PROGRESS):
            return None
        wanted = allocated
    return Growth(text=wanted, size_bytes=whole(wanted))


def finished_status(growth: Growth) -> dict[str, Any]:
    """The change of a claim's status after the volume has grown."""
    return {
        "capacity": {STORAGE: growth.text},
        "allocatedResourceStatuses": {STORAGE: None},
        "conditions": [{"type": kind, "$patch": "delete"} for kind in CONDITIONS],
    }


class Expansion:
    """Grows volumes, and writes the result to their claims' statuses."""

    def __init__(self, ports: VolumePorts) -> None:
        self._ports = ports
        self._refused: set[tuple[str, str, int]] = set()  # drivers that cannot grow this volume while it is in use

    async def at_mount(self, pod: Pod, plan: CsiPlan, volume: DriverVolume) -> None:
        """Grow the filesystem before the pod uses it. Raises StepFailed."""
        try:
            await self._grow(pod, plan, volume)
        except PodwrightError as failure:
            raise StepFailed("MountVolume.Setup failed while expanding volume", plan.name, str(failure)) from failure

    async def while_mounted(self, pod: Pod, plan: CsiPlan, volume: DriverVolume) -> None:
        """Grow the filesystem of a running pod. A failure becomes an event, and the next call tries again."""
        try:
            await self._grow(pod, plan, volume)
        except PodwrightError as failure:
            message = f'NodeExpandVolume.NodeExpandVolume failed for volume "{plan.name}" : {failure}'
            self._ports.events.pod(pod, "Warning", FAILED, message)

    async def _grow(self, pod: Pod, plan: CsiPlan, volume: DriverVolume) -> None:
        growth, claim = wanted_growth(plan), plan.claim
        if growth is None or claim is None or DriverCapability.EXPAND_VOLUME not in volume.can:
            return
        key = (plan.driver, plan.handle, growth.size_bytes)
        if key in self._refused:
            return
        storage = self._ports.storage
        claim = await storage.change_claim_status(claim, {"allocatedResourceStatuses": {STORAGE: IN_PROGRESS}})
        try:
            call = await self._call(plan, volume.can)
            await volume.node.expand(call, volume.path, growth.size_bytes, volume.can, staged=volume.staged)
        except CsiFailed as failure:
            await self._failed(claim, failure)
            if failure.code == "FAILED_PRECONDITION":
                self._refused.add(key)
                return
            raise
        message = f'MountVolume.NodeExpandVolume succeeded for volume "{plan.name}" {self._ports.node.name}'
        self._ports.events.pod(pod, "Normal", SUCCEEDED, message)
        await storage.change_claim_status(claim, finished_status(growth))

    async def _call(self, plan: CsiPlan, can: Capabilities) -> VolumeCall:
        secret = plan.expand_secret
        secrets = await self._ports.storage.secret(secret.namespace, secret.name) if secret is not None else {}
        return VolumeCall(
            handle=plan.handle, access=access_of(plan, can), publish_context={}, attributes={}, secrets=secrets
        )

    async def _failed(self, claim: PersistentVolumeClaim, failure: CsiFailed) -> None:
        """Write to the claim's status why it has not grown."""
        if not failure.is_final:
            return
        condition = {
            "type": RESIZE_ERROR,
            "status": "True",
            "lastTransitionTime": format_time(utc_now(self._ports.clock)),
            "message": f"failed to expand pvc with {failure}",
        }
        status: dict[str, Any] = {"conditions": [condition]}
        if failure.is_infeasible:
            status["allocatedResourceStatuses"] = {STORAGE: INFEASIBLE}
        await self._ports.storage.change_claim_status(claim, status)
