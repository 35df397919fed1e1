"""Keeps resources of every pod, in memory and in a file: one for allocated and one for actuated resources.

`put` records in memory. Who acts on a record awaits `saved` first: nothing is started before the file shows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from msgspec.structs import replace

from podwright.agent.allocation import checkpoint
from podwright.agent.pods.allocation import PodAllocation
from podwright.k8s.objects import ResourceRequirements

log = logging.getLogger(__name__)


class AllocationRecords:
    """The resources of pods, by UID."""

    def __init__(self, path: str) -> None:
        """Reads nothing before `recover`."""
        self._path = path
        self._pods: checkpoint.Allocations = {}
        self._is_saved = True

    def recover(self) -> None:
        """Take over the file of an earlier agent. Raises OSError."""
        self._pods = checkpoint.read(self._path)

    def get(self, uid: str) -> PodAllocation | None:
        """The pod's resources. None for a pod without a record."""
        return self._pods.get(uid)

    def put(self, uid: str, allocation: PodAllocation) -> None:
        """Record all resources of a pod."""
        if self._pods.get(uid) != allocation:
            self._pods[uid] = allocation
            self._is_saved = False

    def put_container(self, uid: str, name: str, resources: ResourceRequirements) -> None:
        """Record the resources of one container."""
        known = self._pods.get(uid) or PodAllocation()
        self.put(uid, replace(known, containers={**known.containers, name: resources}))

    def put_pod_level(self, uid: str, resources: ResourceRequirements | None) -> None:
        """Record the pod-level resources."""
        self.put(uid, replace(self._pods.get(uid) or PodAllocation(), pod=resources))

    def retain(self, uids: Collection[str]) -> None:
        """Forget all pods except these. The file follows with its next change."""
        self._pods = {uid: allocation for uid, allocation in self._pods.items() if uid in uids}

    async def saved(self) -> None:
        """Return when the file shows all records. Those of one turn of the event loop share a write.

        A failure is logged, because a full disk must not stop pods. The next change tries again.
        """
        if not self._is_saved:
            await asyncio.sleep(0)
        if not self._is_saved:
            self._is_saved = True
            self._write()

    def _write(self) -> None:
        try:
            checkpoint.write(self._path, self._pods)
        except OSError as failure:
            log.warning("cannot keep pods' resources over a restart: file=%s error=%s", self._path, failure)
