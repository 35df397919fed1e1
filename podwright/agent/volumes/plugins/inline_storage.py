"""csi and nfs: volumes outside of the pod that the pod itself names."""

from __future__ import annotations

from podwright.agent.volumes.plugins.protocol import VolumeRequest
from podwright.agent.volumes.storage.planning import plan_inline_csi, plan_nfs
from podwright.agent.volumes.storage.plans import CsiPlan, NfsPlan
from podwright.k8s.objects import CSIVolumeSource, NFSVolumeSource


class InlineCsi:
    """A CSI volume that the pod names. Some drivers want to publish it periodically."""

    follows_changes = True

    async def plan(self, request: VolumeRequest) -> CsiPlan:
        return plan_inline_csi(request, request.volume.csi or CSIVolumeSource(driver=""))


class InlineNfs:
    """An NFS volume that the pod names."""

    follows_changes = False

    async def plan(self, request: VolumeRequest) -> NfsPlan:
        return plan_nfs(request, request.volume.nfs or NFSVolumeSource(path="", server=""))
