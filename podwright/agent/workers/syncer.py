"""What a worker calls for each state of its pod."""

from __future__ import annotations

from typing import Protocol

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.updates import SetStatus, UpdateKind
from podwright.k8s.objects import Pod


class PodSyncer(Protocol):
    """One pass for one pod. A pass that raises is repeated after a back-off; each must be safe to repeat."""

    async def sync_pod(self, kind: UpdateKind, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> bool:
        """Bring the pod nearer to its spec; true when it has reached a terminal phase. Cancelled when it must end."""

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        """End every container of the pod. Returns when none runs any more."""

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        """End every container of a pod that no source knows."""

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        """Release what the pod holds besides containers: volumes, cgroups. Returns when nothing is held."""
