"""hostPath: a path of this machine as it is. The pod's fsGroup does not touch it."""

from __future__ import annotations

from podwright.agent.volumes.host_paths import TYPES
from podwright.agent.volumes.plans import HostPathPlan
from podwright.agent.volumes.plugins.protocol import Request
from podwright.errors import InvalidArgument


class HostPath:
    """See Plugin."""

    follows_changes = False

    async def plan(self, request: Request) -> HostPathPlan:
        """See Plugin. Raises InvalidArgument for a path with '..' and for an unknown type."""
        source = request.volume.host_path
        path = source.path if source is not None else ""
        kind = (source.type or "") if source is not None else ""
        if ".." in path.split("/"):
            raise InvalidArgument(f"invalid HostPath `{path}`: must not contain '..'")
        if kind not in TYPES:
            known = ", ".join(name for name in TYPES if name)
            raise InvalidArgument(
                f"{kind} is an invalid volume type", hint=f"a hostPath's type is empty or one of {known}"
            )
        return HostPathPlan(path=path, type=kind)
