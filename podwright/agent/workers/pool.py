"""All pod workers: what an update means for a pod's state, and what other rooms can ask about pods.

Called by the sync loop, by eviction and by shutdown. `update` never waits: it notes what is wanted and wakes the
worker. The rules are the kubelet's (pkg/kubelet/pod_workers.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.pods.phases import has_ended
from podwright.agent.workers.record import WorkerRecord, WorkState, effective_grace_s, new_record
from podwright.agent.workers.static import StaticOrder
from podwright.agent.workers.updates import KillOptions, PodUpdate, UpdateKind
from podwright.agent.workers.worker import PodWorker, WorkerPorts

log = logging.getLogger(__name__)


class KnownPod(msgspec.Struct, frozen=True, kw_only=True):
    """What housekeeping learns of a worker. `orphan`: no source has the pod any more."""

    state: WorkState
    orphan: bool
    static: bool
    has_config: bool


class WorkerActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's worker does, to be shown to people. Times are seconds from now, or ago."""

    state: WorkState
    finished: bool
    busy_s: float | None  # how long the current pass has taken; None: no pass runs
    waits_for: tuple[str, ...]  # the steps that the pass is in, the outermost first
    next_pass_s: float | None  # until the next pass; None: it comes when something happens
    failure: str  # why the last pass failed; empty if it did not


class PodWorkers:
    """The workers by pod UID."""

    def __init__(self, ports: WorkerPorts) -> None:
        self._ports = ports
        self._clock: Clock = ports.clock
        self._records: dict[str, WorkerRecord] = {}
        self._order = StaticOrder()
        self._reconciled = False  # whether `reconcile` has run; before, a pod without a worker may still run

    # -- what is wanted

    def update(self, update: PodUpdate) -> None:
        """Hand an update to the pod's worker, and start one for a new pod. Workers see what the pod was allocated."""
        if update.pod is not None:
            update = msgspec.structs.replace(update, pod=self._ports.allocated(update.pod))
        record = self._records.get(update.uid)
        is_new = record is None
        if record is None:
            if update.pod is None and update.kind is not UpdateKind.KILL:
                return
            record = self._records[update.uid] = self._new(update)
        if update.pod is None:
            record.seen_in_runtime = True
            if not is_new:  # it is not only in the runtime
                _answer(update.kill)
                return
        if record.finished:
            self._note_gone(record, update)
            _answer(update.kill)
            return
        if not is_new and record.terminating_at is not None and update.kind is UpdateKind.CREATE:
            record.restart_requested = True
            return
        became_terminating = self._note_termination(record, update)
        update, shortened = self._note_kill(record, update)
        record.pending = update
        self._run(record, is_new=is_new)
        if (became_terminating or shortened) and record.sync is not None:
            record.sync.cancel()

    def _new(self, update: PodUpdate) -> WorkerRecord:
        now = self._clock.monotonic()
        record = new_record(update, now)
        if update.pod is not None and has_ended(update.pod):
            observed = self._ports.looks.peek(record.uid)
            if observed is not None and not observed.running() and not observed.ready_sandboxes():
                # The pod has ended for the API and at the runtime, so only the clean-up is left.
                record.terminating_at = record.terminated_at = now
        return record

    def _note_termination(self, record: WorkerRecord, update: PodUpdate) -> bool:
        """Whether the update makes the pod terminate."""
        if record.terminating_at is not None:
            return False
        pod = update.pod
        if pod is None or (pod.metadata.deletion_timestamp is not None) or update.kind is UpdateKind.KILL:
            if update.kill is not None and update.kill.evict:
                record.evicted = True
            else:
                record.deleted = True
        elif not has_ended(pod):
            return False
        record.terminating_at = self._clock.monotonic()
        return True

    def _note_kill(self, record: WorkerRecord, update: PodUpdate) -> tuple[PodUpdate, bool]:
        """The update with the grace that counts, and whether it is shorter than before."""
        if record.terminated_at is not None or record.terminating_at is None:
            _answer(update.kill)
            return msgspec.structs.replace(update, kill=None), False
        kill = update.kill or KillOptions()
        if kill.completed is not None:
            record.waiters.append(kill.completed)
        if kill.set_status is not None:
            record.set_status.append(kill.set_status)
        grace_s = effective_grace_s(record, update.pod or record.pod, kill)
        shortened = record.grace_s not in (None, grace_s)
        record.grace_s = grace_s
        return msgspec.structs.replace(update, kill=msgspec.structs.replace(kill, grace_s=grace_s)), shortened

    def _note_gone(self, record: WorkerRecord, update: PodUpdate) -> None:
        """Note that no source wants a pod that has ended by itself."""
        if update.kind is UpdateKind.KILL and not record.deleted:
            record.deleted = True
            self._ports.pod_gone(record.uid)

    def _run(self, record: WorkerRecord, *, is_new: bool) -> None:
        if record.task is None:
            if is_new and record.is_static:
                self._order.arrive(record.full_name, record.uid)
            worker = PodWorker(record, self._ports, self._order, self._finish)
            record.task = self._ports.tasks.start(worker.run(), name=f"pod {record.full_name}")
        record.wake.set()

    def _finish(self, record: WorkerRecord) -> None:
        """Note that a worker has made its last pass."""
        record.finished = True
        record.notify_terminated()
        self._order.leave(record.full_name, record.uid)
        self._ports.queue.discard(record.uid)
        following = self._records.get(self._order.next(record.full_name) or "")
        if following is not None:
            following.wake.set()
        if record.should_content_be_removed():
            self._ports.pod_gone(record.uid)
        if record.active is not None and record.active.pod is None:
            del self._records[record.uid]  # what ran has ended; a source may still want a pod with this UID

    # -- housekeeping

    def reconcile(self, desired: Collection[str]) -> dict[str, KnownPod]:
        """End pods that the sources do not want, and forget workers that have finished.

        Returns the remaining workers by UID.
        """
        self._reconciled = True
        for uid, record in list(self._records.items()):
            orphan = uid not in desired
            if orphan or record.restart_requested:
                self._forget(record, orphan=orphan)
        return self.known(desired)

    def known(self, desired: Collection[str]) -> dict[str, KnownPod]:
        """The existing workers by UID, marked as orphans if the sources do not want their pods."""
        return {
            uid: KnownPod(
                state=record.state,
                orphan=uid not in desired,
                static=record.is_static,
                has_config=record.pod is not None,
            )
            for uid, record in self._records.items()
        }

    def _forget(self, record: WorkerRecord, *, orphan: bool) -> None:
        """Drop a finished worker. If no source wants its pod, make another worker finish too."""
        if record.finished:
            del self._records[record.uid]
            if orphan and not record.should_content_be_removed():
                self._ports.pod_gone(record.uid)
            return
        if not orphan:
            return
        record.deleted = True
        if record.started_at is None and not record.seen_in_runtime:
            self._abandon(record)
            return
        if record.terminating_at is None:
            record.terminating_at = self._clock.monotonic()
            record.grace_s = effective_grace_s(record, record.pod, None)
            if record.sync is not None:
                record.sync.cancel()
        self._repeat(record)

    def _abandon(self, record: WorkerRecord) -> None:
        """End a worker that has not begun."""
        if record.task is not None:
            record.task.cancel()
        self._finish(record)
        del self._records[record.uid]

    def _repeat(self, record: WorkerRecord) -> None:
        """Make the worker do another pass with its last update."""
        if record.pending is None and record.active is not None:
            kill = KillOptions(grace_s=record.grace_s) if record.state is WorkState.TERMINATING else None
            record.pending = msgspec.structs.replace(record.active, kind=UpdateKind.SYNC, kill=kill)
        record.wake.set()

    # -- questions of other rooms

    def uids(self) -> Collection[str]:
        """The pods that have a worker."""
        return self._records.keys()

    def is_known(self, uid: str) -> bool:
        """Whether the pod has a worker."""
        return uid in self._records

    def is_known_terminated(self, uid: str) -> bool:
        """Whether all containers of the pod are known to have ended for good."""
        record = self._records.get(uid)
        return record is not None and record.terminated_at is not None

    def could_have_running_containers(self, uid: str) -> bool:
        """False only if no container of the pod runs or will run."""
        record = self._records.get(uid)
        return record.terminated_at is None if record is not None else not self._reconciled

    def should_be_finished(self, uid: str) -> bool:
        """Whether nothing remains to be done for the pod."""
        record = self._records.get(uid)
        return record.finished if record is not None else self._reconciled

    def is_termination_requested(self, uid: str) -> bool:
        """Whether the pod must end, or has ended."""
        record = self._records.get(uid)
        return record is not None and record.terminating_at is not None

    def should_runtime_be_removed(self, uid: str) -> bool:
        """Whether the pod's sandboxes and cgroups may be removed."""
        record = self._records.get(uid)
        return record.terminated_at is not None if record is not None else self._reconciled

    def should_content_be_removed(self, uid: str) -> bool:
        """Whether the pod's dead containers and logs may be removed as well."""
        record = self._records.get(uid)
        return record.should_content_be_removed() if record is not None else self._reconciled

    def activity(self, uid: str) -> WorkerActivity | None:
        """The activity of the pod's worker. None for a pod without a worker."""
        record = self._records.get(uid)
        if record is None:
            return None
        now, due = self._clock.monotonic(), self._ports.queue.due(uid)
        return WorkerActivity(
            state=record.state,
            finished=record.finished,
            busy_s=now - record.sync_began_at if record.sync is not None else None,
            waits_for=tuple(record.step.under_way()[1:]) if record.step is not None else (),
            next_pass_s=max(due - now, 0.0) if due is not None else None,
            failure=record.failure,
        )

    def is_name_terminating(self, full_name: str) -> bool:
        """Whether a static pod of this name must end. Its mirror is then not created again."""
        return any(
            record.terminating_at is not None and not record.finished
            for record in self._records.values()
            if record.full_name == full_name
        )

    def shorten(self, uid: str, grace_s: int) -> None:
        """Shorten the grace of a pod that is ending."""
        record = self._records.get(uid)
        if record is not None and record.pod is not None and record.terminating_at is not None:
            self.update(PodUpdate(kind=UpdateKind.KILL, pod=record.pod, kill=KillOptions(grace_s=grace_s)))

    async def kill(self, update: PodUpdate, timeout_s: float) -> bool:
        """End a pod and wait until its containers have ended. Returns False after `timeout_s`."""
        assert update.kill is not None
        completed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.update(msgspec.structs.replace(update, kill=msgspec.structs.replace(update.kill, completed=completed)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await completed
                return True
        return False


def _answer(kill: KillOptions | None) -> None:
    """End the wait of `kill`: no container of the pod runs or will run."""
    if kill is not None and kill.completed is not None and not kill.completed.done():
        kill.completed.set_result(None)
