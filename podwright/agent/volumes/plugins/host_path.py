"""hostPath: a path of this machine, unchanged by the pod's fsGroup."""

from __future__ import annotations

from podwright.agent.volumes.host_paths import check_plan_path
from podwright.agent.volumes.plans import HostPathPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest


class HostPath:
    """A path of this machine."""

    follows_changes = False

    async def plan(self, request: VolumeRequest) -> HostPathPlan:
        """Raises InvalidArgument for a path with '..' and for an unknown type."""
        source = request.volume.host_path
        path = source.path if source is not None else ""
        kind = (source.type or "") if source is not None else ""
        check_plan_path(path, kind)
        return HostPathPlan(path=path, type=kind)
