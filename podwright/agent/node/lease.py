"""The node's Lease: its heartbeat. The node lifecycle controller marks a node as lost if its lease is not renewed.

The periods and retries are the kubelet's (component-helpers/apimachinery/lease of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import datetime

from msgspec.structs import replace

from podwright.agent.clock import Clock, utc_now
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.node.current import CurrentNode
from podwright.errors import NotFound, PodwrightError
from podwright.k8s.client.failures import Conflict
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import Lease, LeaseSpec, ObjectMeta, OwnerReference
from podwright.k8s.times import micro_time

log = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"
RENEWALS_PER_DURATION = 4
TRIES = 5
REMEMBERED_TRIES = 100
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 7.0


class NodeLease:
    """Renews the lease forever."""

    def __init__(
        self, server: ApiServer, node: CurrentNode, clock: Clock, events: EventRecorder, duration_s: int
    ) -> None:
        self._server = server
        self._node = node
        self._clock = clock
        self._events = events
        self._duration_s = duration_s
        self._lease: Lease | None = None
        # The times of the last renewal and of later tries: a try whose answer was lost may have succeeded.
        self._own_times: deque[datetime] = deque(maxlen=REMEMBERED_TRIES)

    async def run(self) -> None:
        """Create the lease if it is missing, then renew it four times in its duration."""
        period_s = self._duration_s / RENEWALS_PER_DURATION
        while True:
            pause_s = FIRST_PAUSE_S
            while not await self._renew(period_s):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(period_s)

    async def _renew(self, timeout_s: float) -> bool:
        """Renew the lease once. Returns whether the server has the new time. A failure is logged once per round."""
        failure: PodwrightError | None = None
        for _ in range(TRIES):
            try:
                self._lease = await self._write(timeout_s)
            except (Conflict, NotFound) as stale:
                self._lease, failure = None, stale  # next, read the server's version
            except PodwrightError as failed:
                failure = failed
                break
            else:
                return True
        log.warning("the node's lease is not renewed, and will be tried again: error=%s", failure)
        return False

    async def _write(self, timeout_s: float) -> Lease:
        name = self._node.node.metadata.name
        if self._lease is None:
            try:
                self._lease = await self._server.get(Lease, name, namespace=NAMESPACE, timeout_s=timeout_s)
            except NotFound:
                return await self._server.create(
                    self._renewed(Lease(metadata=ObjectMeta(name=name))), timeout_s=timeout_s
                )
            self._look_for_rivals(self._lease)
        return await self._server.update(self._renewed(self._lease), timeout_s=timeout_s)

    def _look_for_rivals(self, lease: Lease) -> None:
        """Report another agent that renews the lease.

        Two agents with one node name run the same pods and overwrite each other's status.
        """
        if not self._own_times or _renewal_time(lease) in self._own_times:
            return
        name = self._node.node.metadata.name
        log.error("another agent renews the node's lease, so give its machine another name: node=%s", name)
        message = f"Another agent renews the lease of node {name}: two machines have this name"
        self._events.node("Warning", "NodeNameNotUnique", message)

    def _renewed(self, lease: Lease) -> Lease:
        """The lease with a new time.

        Once the node is registered it owns the lease, so that both are deleted together.
        """
        node = self._node.node.metadata
        owners = lease.metadata.owner_references
        if not owners and self._node.is_registered:
            owners = (OwnerReference(api_version="v1", kind="Node", name=node.name, uid=node.uid),)
        now = micro_time(utc_now(self._clock))
        self._own_times.append(now)
        return replace(
            lease,
            metadata=replace(lease.metadata, namespace=NAMESPACE, owner_references=owners),
            spec=replace(
                lease.spec or LeaseSpec(),
                holder_identity=node.name,
                lease_duration_seconds=self._duration_s,
                renew_time=now,
            ),
        )


def _renewal_time(lease: Lease) -> datetime | None:
    return lease.spec.renew_time if lease.spec is not None else None
