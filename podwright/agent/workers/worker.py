"""One pod's worker: it waits for an update, makes one pass for its pod's state, and sets the time of the next."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.workers import WorkerMetrics
from podwright.agent.pods.failures import BackOff, NetworkNotReady
from podwright.agent.pods.identity import is_static
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.ports import PodLooks
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.record import MIN_GRACE_S, WorkerRecord, WorkState, effective_grace_s
from podwright.agent.workers.static import StaticOrder
from podwright.agent.workers.syncer import Syncer, SyncResult
from podwright.agent.workers.updates import KillOptions, PodUpdate, UpdateKind
from podwright.k8s.objects import Pod, PodStatus
from podwright.tasks import Tasks, is_cancelled
from podwright.timeline import Step

log = logging.getLogger(__name__)

JITTER = 0.5  # added to every wait at most, as a part of it, so that pods do not become due together


class Pauses(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds to the next pass: after a success, after a failure, and while the network is not ready."""

    resync_s: float = 60.0
    error_s: float = 10.0
    network_s: float = 1.0


class WorkerPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What workers need."""

    syncer: Syncer
    looks: PodLooks
    queue: WorkQueue
    events: EventRecorder
    clock: Clock
    tasks: Tasks
    pod_gone: Callable[[str], None]  # called with its UID when nothing of a pod is needed any more
    pauses: Pauses = Pauses()
    metrics: WorkerMetrics = msgspec.field(default_factory=WorkerMetrics)
    may_begin: Callable[[str], bool] = lambda _: True  # whether there is room for the pod with this UID
    active_s: Callable[[Pod], float | None] = lambda _: None  # how long the pod may stay active; None: no limit
    allocated: Callable[[Pod], Pod] = lambda pod: pod  # the pod with the resources that it may use


class PodWorker:
    """Makes passes for one pod until it has ended for good."""

    def __init__(
        self, record: WorkerRecord, ports: WorkerPorts, order: StaticOrder, finish: Callable[[WorkerRecord], None]
    ) -> None:
        """`finish` is called once, at the end of the last pass."""
        self._record = record
        self._ports = ports
        self._order = order
        self._finish = finish
        self._acted_at = -math.inf  # end of the last pass that changed something: the next needs a later look
        self._started: frozenset[str] = frozenset()  # see SyncResult

    async def run(self) -> None:
        """Make passes until the last one."""
        record = self._record
        while True:
            await record.wake.wait()
            record.wake.clear()
            if (update := self._begin()) is None:
                if record.finished:
                    return
                continue
            state = record.state
            failure: Exception | None = None
            ended = False
            try:
                ended = await self._pass(state, update)
            except asyncio.CancelledError:
                if record.sync is None or not record.sync.cancelled() or is_cancelled():
                    raise  # the worker itself is cancelled too
                log.info("a pass is interrupted since the pod must end: pod=%s", record.full_name)
            except Exception as raised:  # noqa: BLE001 # a pass that raises anything is repeated
                failure = raised
                log.warning("a pass failed: pod=%s state=%s error=%s", record.full_name, state.value, raised)
            finally:
                record.sync = record.step = None
            record.failure = str(failure) if failure is not None else ""
            if self._advance(state, update, ended=ended):
                return
            self._schedule(failure, advanced=ended)

    def _begin(self) -> PodUpdate | None:
        """The update to work on. None if there is none, or if the pod may not begin yet."""
        record = self._record
        update = record.pending
        if update is None:
            return None
        if record.started_at is None:
            if update.pod is not None and is_static(update.pod):
                if record.terminating_at is not None:  # the pod must end before it has begun
                    record.terminated_at = record.terminating_at
                    self._finish(record)
                    return None
                if self._has_predecessor(update.pod) or not self._order.may_start(record.full_name, record.uid):
                    self._ports.queue.put(record.uid, self._soon(self._ports.pauses.error_s))
                    return None
            if record.terminating_at is None and not self._ports.may_begin(record.uid):
                self._ports.queue.put(record.uid, self._soon(self._ports.pauses.error_s))
                return None
            record.started_at = self._ports.clock.monotonic()
            self._ports.metrics.starts.observe(record.started_at - record.synced_at)
            if update.pod is not None:
                self._ports.metrics.containers.observe(len(update.pod.spec.containers))
        record.pending = None
        record.active = _merged(record.active, update)
        return record.active

    def _has_predecessor(self, pod: Pod) -> bool:
        """Whether a pod with the same name runs that an earlier agent started. Housekeeping will end it."""
        metadata = pod.metadata
        return any(
            other.uid != metadata.uid and (other.running() or other.ready_sandboxes())
            for other in self._ports.looks.named(metadata.name, metadata.namespace)
        )

    async def _pass(self, state: WorkState, update: PodUpdate) -> bool:
        """Make one pass. Returns True if the pod goes to the next state."""
        record = self._record
        record.sync_began_at = self._ports.clock.monotonic()
        record.sync = asyncio.create_task(self._sync(state, update), name=f"pass for pod {record.full_name}")
        try:
            return await record.sync
        except asyncio.CancelledError:
            if not record.sync.done():
                record.sync.cancel()
            raise
        finally:
            took_s = self._ports.clock.monotonic() - record.sync_began_at
            self._ports.metrics.passes.observe(took_s, update.kind.value)

    async def _sync(self, state: WorkState, update: PodUpdate) -> bool:
        with Step(state.value) as self._record.step:
            return await self._make_pass(state, update)

    async def _make_pass(self, state: WorkState, update: PodUpdate) -> bool:
        syncer, record = self._ports.syncer, self._record
        if update.pod is None:
            assert update.runtime_pod is not None
            await syncer.sync_terminating_runtime_pod(update.runtime_pod)
            return True
        try:
            observed = await self._observed()
        except Exception as failure:
            self._ports.events.pod(update.pod, "Warning", "FailedSync", f"error determining status: {failure}")
            raise
        result = SyncResult(acted=True)
        try:
            if state is WorkState.SYNC:
                result = await syncer.sync_pod(update.pod, update.mirror, observed)
                return result.is_terminal
            if state is WorkState.TERMINATING:
                await syncer.sync_terminating_pod(
                    update.pod, observed, record.grace_s or MIN_GRACE_S, self._set_status
                )
                result = SyncResult()  # it has already looked at the pod after its last change
            else:
                await syncer.sync_terminated_pod(update.pod, observed)
        finally:
            if result.acted:
                self._acted_at, self._started = self._ports.clock.monotonic(), result.started
        return True

    async def _observed(self) -> ObservedPod:
        """A look at the pod that shows what earlier passes have changed. Raises PodwrightError.

        An event of the runtime often shows a started container before the call that starts it returns.
        """
        looks, uid, started = self._ports.looks, self._record.uid, self._started
        if started and (seen := await looks.shown(uid, lambda pod: pod.shows_started(started))) is not None:
            return seen
        return await looks.newer_than(uid, self._acted_at)

    def _set_status(self, status: PodStatus) -> PodStatus:
        """Apply the status changes of all kills of the pod."""
        for change in self._record.set_status:
            status = change(status)
        return status

    def _advance(self, state: WorkState, update: PodUpdate, *, ended: bool) -> bool:
        """Go to the next state if a pass has `ended` this one. Returns True after the last state."""
        record, now = self._record, self._ports.clock.monotonic()
        if not ended:
            return False
        if state is WorkState.TERMINATED or update.pod is None:
            record.terminated_at = record.terminated_at or now
            self._finish(record)
            return True
        if state is WorkState.TERMINATING:
            record.terminated_at = now
            record.notify_terminated()
        elif record.terminating_at is None:
            record.terminating_at = now
            record.grace_s = effective_grace_s(record, update.pod, None)
        return False

    def _schedule(self, failure: Exception | None, *, advanced: bool) -> None:
        """Set the time of the next pass."""
        record, pauses = self._record, self._ports.pauses
        if advanced:
            if record.pending is None:
                assert record.active is not None
                record.pending = msgspec.structs.replace(
                    record.active, kind=UpdateKind.SYNC, kill=KillOptions(grace_s=record.grace_s)
                )
            record.wake.set()
            return
        if record.pending is not None:
            record.wake.set()
        if failure is None:
            due = self._soon(pauses.resync_s)
        elif isinstance(failure, NetworkNotReady):
            due = self._soon(pauses.network_s)
        elif isinstance(failure, BackOff):
            due = self._soon(min(failure.seconds(self._ports.clock.now_ns()), pauses.resync_s))
        else:
            due = self._soon(pauses.error_s)
        self._ports.queue.put(record.uid, min(due, self._end_of_activity()))

    def _end_of_activity(self) -> float:
        """The time at which the pod has been active for too long.

        Infinite if that is past, or if there is no limit.
        """
        pod = self._record.pod
        left_s = self._ports.active_s(pod) if pod is not None else None
        return self._ports.clock.monotonic() + left_s if left_s is not None and left_s > 0 else math.inf

    def _soon(self, pause_s: float) -> float:
        return self._ports.clock.monotonic() + pause_s * (1 + random.random() * JITTER)  # noqa: S311 # no secret


def _merged(active: PodUpdate | None, update: PodUpdate) -> PodUpdate:
    """The update, with the pod of the active update if it has none itself."""
    if active is None or update.pod is not None:
        return update
    return msgspec.structs.replace(update, pod=active.pod, mirror=update.mirror or active.mirror)
