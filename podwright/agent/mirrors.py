"""Mirror pods: what an API server shows of static pods. Without one there are none."""

from __future__ import annotations

from podwright.agent.pods.registry import PodRegistry
from podwright.k8s.objects import Pod


class NoMirrors:
    """For an agent without an API server."""

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        """See `workers.ports.Mirrors`."""

    async def remove_orphans(self, registry: PodRegistry) -> None:
        """See `housekeeping.Mirrors`."""
