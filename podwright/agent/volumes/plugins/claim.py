"""persistentVolumeClaim and ephemeral: the PersistentVolume that a claim is bound to.

Both objects are read in every pass of the pod, as by a kubelet: a node must not watch them, and their sizes change.
"""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.volumes.failures import NotProcessed
from podwright.agent.volumes.plugins.protocol import AnyPlan, VolumeRequest
from podwright.agent.volumes.ports import ClusterStorage
from podwright.agent.volumes.storage import binding
from podwright.agent.volumes.storage.planning import plan_persistent
from podwright.agent.volumes.storage.plans import CsiPlan
from podwright.agent.volumes.storage.selinux_mounts import SelinuxMounts
from podwright.errors import FailedPrecondition, PodwrightError


class ClaimVolume:
    """A volume of a claim."""

    follows_changes = True

    def __init__(self, objects: ClusterStorage, selinux: SelinuxMounts) -> None:
        self._objects = objects
        self._selinux = selinux

    async def plan(self, request: VolumeRequest) -> AnyPlan:
        pod, volume = request.pod, request.volume
        name, namespace = binding.claim_name(pod, volume), pod.metadata.namespace
        try:
            return await self._read(request, name)
        except NotProcessed:
            raise
        except PodwrightError as failure:
            raise NotProcessed(f"error processing PVC {namespace}/{name}: {failure}") from failure

    async def _read(self, request: VolumeRequest, name: str) -> AnyPlan:
        pod, volume = request.pod, request.volume
        try:
            claim = await self._objects.claim(pod.metadata.namespace, name)
        except PodwrightError as failure:
            raise FailedPrecondition(f"failed to fetch PVC from API server: {failure}") from failure
        binding.check_claim(claim)
        if volume.ephemeral is not None:
            try:
                binding.check_owner(claim, pod)
            except PodwrightError as failure:
                raise NotProcessed(str(failure)) from failure
        try:
            found = await self._objects.volume(claim.spec.volume_name)
        except PodwrightError as failure:
            raise FailedPrecondition(
                f"failed to fetch PV {claim.spec.volume_name} from API server: {failure}"
            ) from failure
        binding.check_bound(found, claim)
        source = volume.persistent_volume_claim
        plan = plan_persistent(request, found, claim, read_only=source is not None and source.read_only)
        try:
            binding.check_use(pod, volume, binding.mode_of(found))
        except PodwrightError as failure:
            raise NotProcessed(str(failure)) from failure
        return self._labelled(request, plan)

    def _labelled(self, request: VolumeRequest, plan: AnyPlan) -> AnyPlan:
        """The plan with the SELinux label to mount the volume with."""
        if self._selinux.file is None or not isinstance(plan, CsiPlan):
            return plan
        driver = self._objects.csi_driver(plan.driver)
        return replace(plan, label=self._selinux.label(request.pod, request.volume.name, plan, driver))
