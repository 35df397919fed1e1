"""The interface that a worker calls for each state of its pod."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.updates import SetStatus
from podwright.k8s.objects import Pod


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a pass. `acted`: the pass changed something at the runtime, so the next pass needs a later look.

    `started` has the ids of started containers if nothing else was changed: a look that shows them is late enough.
    """

    is_terminal: bool = False
    acted: bool = False
    started: frozenset[str] = frozenset()


class Syncer(Protocol):
    """One pass for one pod. A pass that raises is repeated after a pause, so each is safe to repeat."""

    async def sync_pod(self, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> SyncResult:
        """Do what the pod's spec demands next. Cancelled when the pod must end."""

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        """End every container of the pod. Returns after a look has shown that none runs."""

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        """End every container of a pod that no source knows."""

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        """Release everything else that the pod holds, such as volumes and cgroups. Returns when nothing is held."""
