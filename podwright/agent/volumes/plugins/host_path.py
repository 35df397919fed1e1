"""hostPath: a path of this machine as it is. The pod's fsGroup does not touch it."""

from __future__ import annotations

from podwright.agent.volumes.host_paths import check_plan_path
from podwright.agent.volumes.plans import HostPathPlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest


class HostPath:
    """A volume of the machine's."""

    follows_changes = False

    async def plan(self, request: VolumeRequest) -> HostPathPlan:
        """Raises InvalidArgument for a path with '..' and for an unknown type."""
        source = request.volume.host_path
        path = source.path if source is not None else ""
        kind = (source.type or "") if source is not None else ""
        check_plan_path(path, kind)
        return HostPathPlan(path=path, type=kind)
