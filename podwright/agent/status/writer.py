"""Writes the status of pods to the API server, and deletes pods whose end is complete.

A change is written at once, as a patch of the differences to the newest known version of the pod, from the watch or
from the answer to an earlier write. Every ten seconds all pods are compared, which repairs lost writes
(pkg/kubelet/status/status_manager.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock, utc_now
from podwright.agent.pods.identity import is_mirror, is_static
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.status.manager import VersionedStatus, Watcher
from podwright.agent.status.publishing import merge_status
from podwright.errors import NotFound, PodwrightError
from podwright.k8s.client.failures import Conflict
from podwright.k8s.client.listwatch.progress import is_older
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import DeleteOptions, Pod, PodSpec, Preconditions
from podwright.k8s.strategic import difference

log = logging.getLogger(__name__)

RECONCILE_S = 10.0
FIRST_PAUSE_S = 0.5  # after a write that failed; doubled up to RECONCILE_S
PARALLEL = 8  # writes at a time
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
    """Writes changes at once, and compares everything now and then."""

    def __init__(self, ports: WriterPorts) -> None:
        self._ports = ports
        self._pending: set[str] = set()
        self._failed: set[str] = set()
        self._wake = asyncio.Event()
        self._answers: dict[str, Pod] = {}  # to the last write for a pod, without its spec
        self._slots = asyncio.Semaphore(PARALLEL)

    async def run(self) -> None:
        """Write forever."""
        monotonic = self._ports.clock.monotonic
        unlisten = self._ports.statuses.on_change(self._changed)
        pause_s, compare_at = FIRST_PAUSE_S, monotonic() + RECONCILE_S
        try:
            while True:
                left_s = compare_at - monotonic()
                await self._wait(min(pause_s, left_s) if self._failed else left_s)
                if monotonic() >= compare_at:  # also on a busy node, where there is always a change
                    self._take_all()
                    compare_at = monotonic() + RECONCILE_S
                pause_s = min(2 * pause_s, RECONCILE_S) if self._failed else FIRST_PAUSE_S
                uids, self._pending, self._failed = self._pending | self._failed, set(), set()
                await asyncio.gather(*(self._write_logged(uid) for uid in uids))
        finally:
            unlisten()

    async def _wait(self, patience_s: float) -> None:
        """Wait until a status changes, for at most that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._wake.wait()
        self._wake.clear()

    def _take_all(self) -> None:
        """Queue every pod for a comparison with the API's version."""
        uids = {entry.uid for entry in self._ports.statuses.all()}
        self._pending |= uids
        self._answers = {uid: pod for uid, pod in self._answers.items() if uid in uids}

    def _changed(self, entry: VersionedStatus) -> None:
        self._pending.add(entry.uid)
        self._wake.set()

    async def _write_logged(self, uid: str) -> None:
        try:
            async with self._slots:
                await self._write(uid)
        except PodwrightError as failure:
            if not self._failed:
                log.warning("the status of pods is not written, and will be tried again: error=%s", failure)
            self._failed.add(uid)

    async def _write(self, uid: str) -> None:
        """Write a pod's status if it differs, and delete the pod if its end is complete. Raises PodwrightError."""
        entry, shown = self._ports.statuses.newest(uid), self._shown(uid)
        if entry is None or shown is None:
            return
        try:
            written = await self._patch(entry, self._newer(uid, shown))
            if _may_go(entry, written):
                await self._delete(written)
        except (NotFound, Conflict):
            # The pod is gone, or another one has its name: the source's watch says so too.
            self._answers.pop(uid, None)

    async def _patch(self, entry: VersionedStatus, shown: Pod) -> Pod:
        """Patch the status. Returns the server's version."""
        now = utc_now(self._ports.clock)
        status = merge_status(shown.status, entry.status, now, may_run=self._ports.may_run(entry.uid))
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

    async def _delete(self, pod: Pod) -> None:
        metadata = pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        await self._ports.server.delete(Pod, metadata.name, namespace=metadata.namespace, options=options)
        log.info("the pod has ended and is deleted from the API: pod=%s/%s", metadata.namespace, metadata.name)

    def _shown(self, uid: str) -> Pod | None:
        """The pod's object from the watch: a static pod's mirror, or the pod itself."""
        pod = self._ports.registry.get(uid)
        if pod is None or not is_static(pod):
            return pod
        return self._ports.registry.mirror_of(pod)

    def _newer(self, uid: str, shown: Pod) -> Pod:
        """The answer to the last write if it is newer than the watch's version."""
        answer = self._answers.get(uid)
        if answer is None or answer.metadata.uid != shown.metadata.uid:
            return shown
        if not is_older(shown.metadata.resource_version, answer.metadata.resource_version):
            return shown
        return replace(shown, metadata=answer.metadata, status=answer.status)


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
