"""The record of one pod's worker: its state, the update that it works on, and the update that waits.

Times are seconds of `Clock.monotonic`. None means "not yet".
"""

from __future__ import annotations

import asyncio
import enum

import msgspec

from podwright.agent.pods.identity import full_name, is_static
from podwright.agent.workers.updates import KillOptions, PodUpdate, SetStatus
from podwright.k8s.objects import Pod
from podwright.timeline import Step

MIN_GRACE_S = 1


class WorkState(enum.Enum):
    """What a worker does for its pod."""

    SYNC = "sync"
    TERMINATING = "terminating"
    TERMINATED = "terminated"


class WorkerRecord(msgspec.Struct, kw_only=True):
    """The state of one worker. Only `PodWorkers` changes it, on the event loop."""

    uid: str
    full_name: str
    synced_at: float
    pending: PodUpdate | None = None
    active: PodUpdate | None = None
    started_at: float | None = None
    terminating_at: float | None = None
    terminated_at: float | None = None
    finished: bool = False
    deleted: bool = False  # whether the pod is deleted at its source, or about to be
    evicted: bool = False
    restart_requested: bool = False  # whether the source has a new pod of the same UID
    seen_in_runtime: bool = False
    grace_s: int | None = None  # the grace of the containers; None while the pod need not end
    set_status: list[SetStatus] = msgspec.field(default_factory=list)
    waiters: list[asyncio.Future[None]] = msgspec.field(default_factory=list)
    wake: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    sync: asyncio.Task[bool] | None = None  # the current pass
    sync_began_at: float = 0.0
    step: Step | None = None  # the step that this pass is in
    failure: str = ""  # why the last pass failed; empty if it did not

    @property
    def state(self) -> WorkState:
        """The state that follows from the times."""
        if self.terminated_at is not None:
            return WorkState.TERMINATED
        return WorkState.SYNC if self.terminating_at is None else WorkState.TERMINATING

    @property
    def pod(self) -> Pod | None:
        """The pod of the current update, or of the one that waits."""
        for update in (self.active, self.pending):
            if update is not None and update.pod is not None:
                return update.pod
        return None

    @property
    def is_static(self) -> bool:
        """Whether the pod comes from a file or a URL."""
        return self.pod is not None and is_static(self.pod)

    def should_content_be_removed(self) -> bool:
        """Whether nothing of the pod is needed any more, its logs included.

        For an evicted pod this becomes true only after its containers' exit codes were read. A kubelet says yes from
        the start, but sees the end so late that it has read them by then.
        """
        return self.terminated_at is not None and (self.evicted or self.deleted)

    def notify_terminated(self) -> None:
        """Wake the callers that wait for the end of the containers."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()


def new_record(update: PodUpdate, now: float) -> WorkerRecord:
    """The record for a new pod."""
    if update.pod is not None:
        name = full_name(update.pod)
    else:
        assert update.runtime_pod is not None
        name = f"{update.runtime_pod.name}_{update.runtime_pod.namespace}"
    return WorkerRecord(uid=update.uid, full_name=name, synced_at=now)


def effective_grace_s(record: WorkerRecord, pod: Pod | None, kill: KillOptions | None) -> int:
    """The grace of the containers in seconds. It is at least 1 and never grows.

    deletionGracePeriodSeconds and the update's grace decide, or else the pod's spec.
    """
    grace_s = record.grace_s
    wishes = (
        pod.metadata.deletion_grace_period_seconds if pod is not None else None,
        kill.grace_s if kill is not None else None,
    )
    for wish in wishes:
        if wish is not None and (grace_s is None or wish < grace_s):
            grace_s = wish
    if grace_s is None and pod is not None:
        grace_s = pod.spec.termination_grace_period_seconds
    return max(grace_s or 0, MIN_GRACE_S)
