"""The sync loop: it takes the messages of sources, the runtime, probes and managers, and updates pod workers.

The loop never waits for a pod: a handler only notes what is wanted. Only the admission of a new pod may wait, while
resources are allotted. While the loop hangs, no pod is synced, so `/healthz` checks when it last ran.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from podwright.agent.admission.chain import Admission
from podwright.agent.channels import Channels
from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.admission import AdmissionMetrics
from podwright.agent.pleg.changes import PodEvent, PodEventKind
from podwright.agent.pods.identity import is_mirror
from podwright.agent.pods.phases import has_ended
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.probes.outcomes import ProbeKind, ProbeOutcome, ProbeResult
from podwright.agent.sources.changes import Operation, SourceChange
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.updates import PodUpdate, UpdateKind
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 2.0  # after a message, and while something is still ending
QUIET_HOUSEKEEPING_S = 60.0  # when nothing has happened
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 5.0  # while the runtime does not work
QUIET_S = 0.2  # an agent that starts has not listed the pods yet: that is no problem to warn of
CHANNEL_LIMITS = {"sources": 50, "runtime": 1000, "probes": 100, "managers": 100}


class PodsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A manager's message: sync these pods, for instance because one of their devices has become unhealthy."""

    uids: tuple[str, ...]


Message = SourceChange | PodEvent | ProbeOutcome | PodsChanged


def new_channels() -> Channels[Message]:
    """The channels that the loop listens to."""
    return Channels(**CHANNEL_LIMITS)


class LoopStatuses(Protocol):
    """What the loop needs of pod statuses: `status.manager`."""

    def set_ready(self, uid: str, container_id: str, *, ready: bool) -> None:
        """Record the result of a readiness probe."""

    def set_started(self, uid: str, container_id: str, *, started: bool) -> None:
        """Record the result of a startup probe."""

    def refuse(self, pod: Pod, reason: str, message: str) -> None:
        """Record that the pod has failed, because it cannot run on this node."""

    def is_refused(self, uid: str) -> bool:
        """Whether the pod was refused."""

    def needs_reconcile(self, pod: Pod) -> bool:
        """Whether what others wrote into the pod's status changes its readiness."""


class DeadContainers(Protocol):
    """Removes containers that have ended, and their logs: `gc`."""

    def pod_changed(self, uid: str) -> None:
        """Note that a container of the pod has ended."""

    def pod_gone(self, uid: str) -> None:
        """Note that nothing of the pod is needed any more, not even its logs."""


class ResizeQueue(Protocol):
    """Which resizes of pods are taken, and when: `allocation.allocator`."""

    def allocated(self, pod: Pod) -> Pod:
        """The pod with the resources that it may use."""

    def admit(self, pod: Pod) -> None:
        """Note that a new pod was admitted with these resources."""

    def note_new(self, pods: Iterable[Pod]) -> None:
        """Note pods that are new to this agent."""

    def note_change(self, old: Pod | None, new: Pod) -> bool:
        """Note that a source has changed a pod. Returns whether pending resizes should be tried."""

    def frees_resources(self, old: Pod | None, new: Pod) -> bool:
        """Whether a change of a pod's status frees what a pending resize waits for."""

    def due(self) -> float:
        """When pending resizes are tried again, in monotonic seconds."""

    async def retry(self, active: Callable[[], Sequence[Pod]], *, is_ready: bool, reason: str) -> list[str]:
        """Try all pending resizes. Returns the UIDs of the pods to sync."""


class LoopPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop needs of other rooms."""

    channels: Channels[Message]
    registry: PodRegistry
    workers: PodWorkers
    queue: WorkQueue
    statuses: LoopStatuses
    admission: Admission
    resizes: ResizeQueue
    dead_containers: DeadContainers
    events: EventRecorder
    clock: Clock
    metrics: AdmissionMetrics
    problem: Callable[[], str]  # why the runtime cannot be used; empty when it can
    problem_of_change: Callable[[Pod, Pod], str]  # why a pod's new version cannot take effect; empty when it can
    housekeeping: Callable[[], bool]  # one round; false when there is more to do soon
    housekeeping_s: float = HOUSEKEEPING_S


class SyncLoop:
    """Reads the channels and updates the workers."""

    def __init__(self, ports: LoopPorts, sources: Iterable[str]) -> None:
        """`sources` names the sources that must be read once before any unknown pod is ended."""
        self._ports = ports
        self._unread = set(sources)
        self._entered_at: float | None = None
        self._housekept_at = 0.0
        self._is_dirty = True

    @property
    def all_sources_read(self) -> bool:
        """Whether every source has sent its pods once. Until then, a pod that nobody wants may still be wanted."""
        return not self._unread

    def silent_s(self) -> float:
        """How long ago the loop's last turn began, in seconds."""
        return 0.0 if self._entered_at is None else self._ports.clock.monotonic() - self._entered_at

    async def run(self) -> None:
        """Handle messages forever."""
        ports = self._ports
        while True:
            await self._until_runtime_works()
            self._entered_at = ports.clock.monotonic()
            message = await ports.channels.get(self._patience_s())
            if message is not None:
                self._is_dirty = True
                await self._handle(message)
            self._sync_due()
            if ports.clock.monotonic() >= ports.resizes.due():
                await self._retry_resizes("periodic_retry")
            if ports.clock.monotonic() >= self._housekeeping_due():
                self._housekept_at = ports.clock.monotonic()
                self._is_dirty = not ports.housekeeping()

    def request_housekeeping(self) -> None:
        """Start a round of housekeeping soon, even if no other message comes."""
        self._ports.channels.offer("managers", PodsChanged(uids=()))

    async def _until_runtime_works(self) -> None:
        pause_s, last = FIRST_PAUSE_S, ""
        while problem := self._ports.problem():
            if problem != last and pause_s >= QUIET_S:
                log.warning("pods are not synced: reason=%s", problem)
                last = problem
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        if last:
            log.info("the runtime works again, pods are synced")

    def _housekeeping_due(self) -> float:
        return self._housekept_at + (self._ports.housekeeping_s if self._is_dirty else QUIET_HOUSEKEEPING_S)

    def _patience_s(self) -> float:
        """How long to wait for a message before something is due, in seconds."""
        ports = self._ports
        due, next_pod = min(self._housekeeping_due(), ports.resizes.due()), ports.queue.next_due()
        if next_pod is not None:
            due = min(due, next_pod)
        return max(0.0, due - ports.clock.monotonic())

    async def _handle(self, message: Message) -> None:
        match message:
            case SourceChange():
                await self._take_change(message)
            case PodEvent():
                self._take_event(message)
            case ProbeOutcome():
                self._take_outcome(message)
            case PodsChanged():
                for uid in message.uids:
                    self._sync(uid)

    # -- sources

    async def _take_change(self, change: SourceChange) -> None:
        match change.operation:
            case Operation.ADD:
                await self._add(change.pods)
            case Operation.UPDATE | Operation.DELETE:
                await self._update(change.pods)
            case Operation.REMOVE:
                await self._remove(change.pods)
            case Operation.RECONCILE:
                await self._reconcile(change.pods)
        # The source counts as read only now: until its pods are admitted, they keep what they were allotted before a
        # restart.
        self._unread.discard(change.source)

    async def _add(self, pods: Sequence[Pod]) -> None:
        """Admit pods, the oldest first, as they were admitted before a restart."""
        ports, added = self._ports, []
        for pod in sorted(pods, key=lambda pod: str(pod.metadata.creation_timestamp or "")):
            others = [other for other in self.active() if other.metadata.uid != pod.metadata.uid]
            ports.registry.put(pod)
            if is_mirror(pod):
                self._mirror_changed(pod)
                continue
            uid = pod.metadata.uid
            is_new = not ports.workers.is_termination_requested(uid)
            if is_new and not has_ended(pod):
                allocated = ports.resizes.allocated(pod)
                refusal = await ports.admission.refuse(allocated, others)
                if refusal is not None:
                    ports.metrics.refusals.add(refusal.reason)
                    ports.statuses.refuse(pod, refusal.reason, refusal.message)
                    ports.events.pod(pod, "Warning", refusal.reason, refusal.message)
                    continue
                ports.resizes.admit(allocated)
                added.append(pod)
            self._dispatch(pod, UpdateKind.CREATE)
        ports.resizes.note_new(added)  # last: a resize must not take what another new pod needs
        await self._retry_resizes("pods_added")

    def active(self) -> list[Pod]:
        """The pods that run or will run, with their allocated resources. Other pods hold no resources of the node."""
        ports = self._ports
        return [
            ports.resizes.allocated(pod)
            for pod in ports.registry.pods()
            if not ports.workers.is_known_terminated(pod.metadata.uid)
            and not (has_ended(pod) and not ports.workers.is_known(pod.metadata.uid))
            and not ports.statuses.is_refused(pod.metadata.uid)
        ]

    async def _update(self, pods: Iterable[Pod]) -> None:
        ports = self._ports
        for pod in pods:
            old = ports.registry.get(pod.metadata.uid)
            ports.registry.put(pod)
            if is_mirror(pod):
                self._mirror_changed(pod)
                continue
            if ports.resizes.note_change(old, pod):
                await self._retry_resizes("pod_updated")
            if old is not None and (problem := ports.problem_of_change(old, pod)):
                ports.events.pod(pod, "Warning", "FailedNodeDeclaredFeaturesCheck", problem)
            self._dispatch(pod, UpdateKind.UPDATE)

    async def _remove(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self._ports.registry.remove(pod)
            if is_mirror(pod):
                self._mirror_changed(pod)
            elif self.all_sources_read:
                self._dispatch(pod, UpdateKind.KILL)
            # Otherwise housekeeping ends the pod, once every source has been read.
        await self._retry_resizes("pods_removed")

    async def _reconcile(self, pods: Iterable[Pod]) -> None:
        ports, is_freed = self._ports, False
        for pod in pods:
            is_freed = ports.resizes.frees_resources(ports.registry.get(pod.metadata.uid), pod) or is_freed
            ports.registry.put(pod)
            if not is_mirror(pod) and ports.statuses.needs_reconcile(pod):
                self._dispatch(pod, UpdateKind.SYNC)
        if is_freed:
            await self._retry_resizes("pod_resized")

    async def _retry_resizes(self, reason: str) -> None:
        ports = self._ports
        if ports.resizes.due() < math.inf:
            for uid in await ports.resizes.retry(self.active, is_ready=self.all_sources_read, reason=reason):
                self._sync(uid)

    def _mirror_changed(self, mirror: Pod) -> None:
        """Have the static pod's worker create its mirror again, or delete it."""
        static = self._ports.registry.static_of(mirror)
        if static is not None:
            self._dispatch(static, UpdateKind.UPDATE)

    # -- runtime, probes, time

    def _take_event(self, event: PodEvent) -> None:
        if event.kind not in (PodEventKind.REMOVED, PodEventKind.CHANGED):
            self._sync(event.pod_uid)
        if event.kind is PodEventKind.DIED:
            self._ports.dead_containers.pod_changed(event.pod_uid)

    def _take_outcome(self, outcome: ProbeOutcome) -> None:
        statuses, good = self._ports.statuses, outcome.finding is ProbeResult.SUCCESS
        match outcome.kind:
            case ProbeKind.LIVENESS:
                if outcome.finding is not ProbeResult.FAILURE:
                    return
            case ProbeKind.READINESS:
                statuses.set_ready(outcome.pod_uid, outcome.container_id, ready=good)
            case ProbeKind.STARTUP:
                statuses.set_started(outcome.pod_uid, outcome.container_id, started=good)
        self._sync(outcome.pod_uid)

    def _sync_due(self) -> None:
        ports = self._ports
        for uid in ports.queue.take(ports.clock.monotonic()):
            self._sync(uid)

    def _sync(self, uid: str) -> None:
        pod = self._ports.registry.get(uid)
        if pod is not None:
            self._dispatch(pod, UpdateKind.SYNC)

    def _dispatch(self, pod: Pod, kind: UpdateKind) -> None:
        mirror = self._ports.registry.mirror_of(pod)
        self._ports.workers.update(PodUpdate(kind=kind, pod=pod, mirror=mirror))
