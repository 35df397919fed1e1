"""The interface of what a worker calls for each state of its pod."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.updates import SetStatus
from podwright.k8s.objects import Pod


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a pass. `acted`: the runtime was changed, so the next pass needs a later look.

    `started` are the containers that were started, if nothing else was done: a look that shows them is late enough.
    """

    is_terminal: bool = False
    acted: bool = False
    started: frozenset[str] = frozenset()


class Syncer(Protocol):
    """One pass for one pod. A pass that raises is repeated after a back-off. Each must be safe to repeat."""

    async def sync_pod(self, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> SyncResult:
        """Bring the pod nearer to its spec. Cancelled when the pod must end."""

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        """End every container of the pod. Returns when a look shows that none runs any more."""

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        """End every container of a pod that no source knows."""

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        """Release what the pod holds besides containers: volumes, cgroups. Returns when nothing is held."""
