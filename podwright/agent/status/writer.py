"""Writes the status of pods to the API server, and deletes pods whose end is complete.

A change is written when it is the pod's turn (`write_order`), as a patch of the differences to the newest known
version of the pod, from the watch or from the answer to an earlier write. What a pod says before it runs waits for
a second: most pods run by then, and one write says all. Every ten seconds all pods are compared, which repairs lost
writes (pkg/kubelet/status/status_manager.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock, utc_now
from podwright.agent.pods.identity import is_mirror, is_static
from podwright.agent.pods.phases import PENDING, TERMINAL
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.status.manager import VersionedStatus, Watcher
from podwright.agent.status.publishing import merge_status
from podwright.agent.status.write_order import WriteOrder, WriteTurn
from podwright.errors import NotFound, PodwrightError
from podwright.k8s.client.failures import Conflict
from podwright.k8s.client.listwatch.progress import is_older
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import DeleteOptions, Pod, PodSpec, PodStatus, Preconditions
from podwright.k8s.strategic import difference

log = logging.getLogger(__name__)

RECONCILE_S = 10.0
PENDING_WAIT_S = 1.0  # before the status of a pod is written that does not run yet
FIRST_PAUSE_S = 0.5  # after a pod's write that failed; doubled up to RECONCILE_S
STATUS = "status"
_NO_SPEC = PodSpec(containers=())


class WrittenStatuses(Protocol):
    """The statuses to write: `status.manager`."""

    def newest(self, uid: str) -> VersionedStatus | None:
        """The newest status of a pod."""

    def all(self) -> list[VersionedStatus]:
        """The newest status of every pod."""

    def on_change(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` after each change."""


class WriterPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer needs of other rooms."""

    server: ApiServer
    statuses: WrittenStatuses
    registry: PodRegistry
    may_run: Callable[[str], bool]  # whether containers of the pod with this UID may run
    clock: Clock
    took: Callable[[float], None]  # hears in how many seconds a change came to the API server


class StatusWriter:
    """Writes what changes, and compares everything now and then."""

    def __init__(self, ports: WriterPorts) -> None:
        self._ports = ports
        self._order = WriteOrder()
        self._wake = asyncio.Event()
        self._failures: dict[str, int] = {}  # writes that failed one after the other, by UID
        self._answers: dict[str, Pod] = {}  # to the last write for a pod, without its spec

    async def run(self) -> None:
        """Write until cancelled."""
        unlisten = self._ports.statuses.on_change(self._changed)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._compare_forever(), name="comparison of statuses")
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    while (turn := self._order.take()) is not None:
                        group.create_task(self._take_turn(turn), name=f"status of pod {turn.uid}")
        finally:
            unlisten()

    def _changed(self, entry: VersionedStatus) -> None:
        if entry.shown.phase == PENDING:
            asyncio.get_running_loop().call_later(PENDING_WAIT_S, self._add_later, entry.uid)
        else:
            self._add(entry.uid)

    def _add(self, uid: str, *, later: bool = False) -> None:
        self._order.add(uid, later=later)
        self._wake.set()

    def _add_later(self, uid: str) -> None:
        """Let a pod wait that has not run yet. One that runs by now has been added by that change."""
        entry = self._ports.statuses.newest(uid)
        if entry is not None and entry.shown.phase == PENDING:
            self._add(uid, later=True)

    async def _compare_forever(self) -> None:
        """Compare every pod with what the API shows of it, from time to time."""
        while True:
            await asyncio.sleep(RECONCILE_S)
            uids = {entry.uid for entry in self._ports.statuses.all()}
            # What the watch has shown counts no more: after the restore of a backup, the watch shows older versions.
            self._answers = {uid: pod for uid, pod in self._answers.items() if uid in uids and self._is_ahead(uid)}
            self._failures = {uid: count for uid, count in self._failures.items() if uid in uids}
            for uid in uids:
                if self._is_due(uid):
                    self._add(uid)

    def _is_due(self, uid: str) -> bool:
        """Whether there is something to write, or to delete."""
        entry, shown = self._ports.statuses.newest(uid), self._shown(uid)
        if entry is None or shown is None:
            return False
        return self._merged(entry, shown) != shown.status or _may_go(entry, shown)

    async def _take_turn(self, turn: WriteTurn) -> None:
        try:
            await self._write(turn.uid)
        except PodwrightError as failure:
            self._note_failure(turn.uid, failure)
        else:
            self._failures.pop(turn.uid, None)
        finally:
            self._order.end(turn)
            self._wake.set()

    def _note_failure(self, uid: str, failure: PodwrightError) -> None:
        if not self._failures:
            log.warning("the status of pods is not written, and will be tried again: error=%s", failure)
        count = self._failures.get(uid, 0)
        self._failures[uid] = count + 1
        pause_s = min(FIRST_PAUSE_S * 2 ** min(count, 8), RECONCILE_S)
        asyncio.get_running_loop().call_later(pause_s, self._add, uid)

    async def _write(self, uid: str) -> None:
        """Write a pod's status if it differs, and delete the pod if its end is complete. Raises PodwrightError."""
        entry, shown = self._ports.statuses.newest(uid), self._shown(uid)
        if entry is None or shown is None:
            return
        try:
            written = await self._patch(entry, shown)
            if _may_go(entry, written):
                await self._delete(written)
        except (NotFound, Conflict):
            # The pod is gone, or another one has its name: the source's watch says so too.
            self._answers.pop(uid, None)

    async def _patch(self, entry: VersionedStatus, shown: Pod) -> Pod:
        """Patch the status. Returns the server's version."""
        status = self._merged(entry, shown)
        if status == shown.status:
            return shown
        metadata = shown.metadata
        body = {**difference(shown, replace(shown, status=status)), "metadata": {"uid": metadata.uid}}
        answer = await self._ports.server.patch(
            Pod, metadata.name, strategic(body), namespace=metadata.namespace, subresource=STATUS
        )
        self._answers[entry.uid] = replace(answer, spec=_NO_SPEC)
        self._ports.took(self._ports.clock.monotonic() - entry.changed_at)
        return answer

    def _merged(self, entry: VersionedStatus, shown: Pod) -> PodStatus:
        """The status to write: ours, with what others have added."""
        now, may_run = utc_now(self._ports.clock), self._ports.may_run(entry.uid)
        return merge_status(shown.status, entry.status, now, may_run=may_run)

    async def _delete(self, pod: Pod) -> None:
        metadata = pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        await self._ports.server.delete(Pod, metadata.name, namespace=metadata.namespace, options=options)
        log.info("the pod has ended and is deleted from the API: pod=%s/%s", metadata.namespace, metadata.name)

    def _shown(self, uid: str) -> Pod | None:
        """The newest known version of the pod's object: the watch's, or the answer to the last write."""
        watched, answer = self._watched(uid), self._answers.get(uid)
        if watched is None or answer is None or answer.metadata.uid != watched.metadata.uid:
            return watched
        if not is_older(watched.metadata.resource_version, answer.metadata.resource_version):
            return watched
        return replace(watched, metadata=answer.metadata, status=answer.status)

    def _is_ahead(self, uid: str) -> bool:
        """Whether the answer to the last write is newer than what the watch shows."""
        return self._shown(uid) is not self._watched(uid)

    def _watched(self, uid: str) -> Pod | None:
        """The pod's object from the watch: a static pod's mirror, or the pod itself."""
        pod = self._ports.registry.get(uid)
        if pod is None or not is_static(pod):
            return pod
        return self._ports.registry.mirror_of(pod)


def _may_go(entry: VersionedStatus, pod: Pod) -> bool:
    """Whether nothing of the pod is left, so that its object may be deleted.

    `mirrors` deletes those of static pods.
    """
    return (
        pod.metadata.deletion_timestamp is not None
        and not is_mirror(pod)
        and pod.status.phase in TERMINAL
        and entry.is_finished
    )
