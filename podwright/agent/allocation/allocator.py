"""Decides which resizes this node accepts, when, and what every pod may use until then.

The loop calls it for each pod that is added, changed or removed. It only decides, and `workers.resizing` carries out
resizes. The rules are those of pkg/kubelet/allocation of Kubernetes 1.36.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from podwright.agent.admission.chain import Admission, Refusal
from podwright.agent.allocation import messages
from podwright.agent.allocation.conditions import DEFERRED, INFEASIBLE, ResizeConditions
from podwright.agent.allocation.feasibility import ResizeRules, infeasible
from podwright.agent.allocation.order import PendingResize, in_order
from podwright.agent.allocation.records import AllocationRecords
from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.resizes import ResizeMetrics
from podwright.agent.pods.allocation import allocation_of, resizable, sizes, with_allocation
from podwright.agent.pods.phases import has_ended
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

FIRST_PAUSE_S, PAUSE_S = 30.0, 180.0  # between tries of pending resizes, if nothing else happens


class AllocatorPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the allocator needs of other rooms."""

    records: AllocationRecords  # of allocated resources
    conditions: ResizeConditions
    admission: Admission  # decides whether the node has room for a resize
    pod_of: Callable[[str], Pod | None]  # the wanted pod with this UID
    events: EventRecorder
    clock: Clock
    metrics: ResizeMetrics
    rules: ResizeRules


class ResizeAllocator:
    """Keeps pending resizes, and decides about each."""

    def __init__(self, ports: AllocatorPorts) -> None:
        self._ports = ports
        self._pending: list[str] = []  # UIDs, in the order of the tries
        self._due = 0.0

    def allocated(self, pod: Pod) -> Pod:
        """The pod with the resources that it may use. The same object if it wants no others."""
        return with_allocation(pod, self._ports.records.get(pod.metadata.uid), self._ports.rules.gates)

    def admit(self, pod: Pod) -> None:
        """Record the resources that a new pod was admitted with."""
        self._ports.records.put(pod.metadata.uid, allocation_of(pod, self._ports.rules.gates))

    def note_new(self, pods: Iterable[Pod]) -> None:
        """Note pods that are new to this agent. Those that were resized while no agent ran are queued."""
        pods = list(pods)
        self._ports.conditions.recover(pods)
        for pod in pods:
            if self.allocated(pod) is not pod:
                self._wait(pod.metadata.uid)

    def note_change(self, old: Pod | None, new: Pod) -> bool:
        """Note that a source has changed a pod. Returns whether pending resizes should be tried."""
        if old is None or not self._count_changes(old, new):
            return False
        if self.allocated(new) is new:  # a pending resize was withdrawn
            self._forget(new.metadata.uid)
            self._ports.conditions.clear_pending(new.metadata.uid)
            return False
        self._wait(new.metadata.uid)
        return True

    def frees_resources(self, old: Pod | None, new: Pod) -> bool:
        """Whether a change of a pod's status frees resources that a pending resize waits for."""
        if not self._pending or old is None:
            return False
        return (has_ended(new) and not has_ended(old)) or _has_shrunk(old, new)

    def due(self) -> float:
        """When pending resizes are tried again, in the clock's monotonic seconds."""
        return self._due if self._pending else math.inf

    async def retry(self, active: Callable[[], Sequence[Pod]], *, is_ready: bool, reason: str) -> list[str]:
        """Try all pending resizes in order. Returns the UIDs of pods whose allocation or conditions have changed.

        `active` returns the pods that run or will run, with their allocations. Until all sources are read
        (`is_ready`), it is unknown what is free. `reason` is a metric's label for the cause.
        """
        ports = self._ports
        self._due = ports.clock.monotonic() + (PAUSE_S if is_ready else FIRST_PAUSE_S)
        if not is_ready:
            return []
        changed, still = [], []
        for uid in self._in_order():
            pod = ports.pod_of(uid)
            if pod is None or has_ended(pod):
                continue
            before = _shown(ports.conditions, uid)
            was_allocated = await self._try(pod, active())
            pending = ports.conditions.pending(uid)
            if pending is not None and pending.reason == DEFERRED:
                still.append(uid)
            if was_allocated and any(DEFERRED in each for each in before):
                ports.metrics.accepted.add(reason)
            if was_allocated or _shown(ports.conditions, uid) != before:
                changed.append(uid)
        self._pending = still
        return changed

    def retain(self, uids: Collection[str]) -> None:
        """Forget all pods except these."""
        self._pending = [uid for uid in self._pending if uid in uids]
        self._ports.records.retain(uids)
        self._ports.conditions.retain(uids)

    # -- inside

    async def _try(self, pod: Pod, active: Sequence[Pod]) -> bool:
        """Try the pod's resize. Returns whether the pod was allocated what it wants."""
        ports, uid = self._ports, pod.metadata.uid
        allocated = self.allocated(pod)
        if allocated is pod:
            ports.conditions.clear_pending(uid)
            return False
        refusal = await self._refusal(pod, allocated, [each for each in active if each.metadata.uid != uid])
        if refusal is not None:
            self._put_off(pod, refusal)
            return False
        ports.records.put(uid, allocation_of(pod, ports.rules.gates))
        ports.conditions.begin(pod)
        generation = pod.metadata.generation
        ports.events.pod(pod, "Normal", "ResizeStarted", messages.resize_message(messages.STARTED, pod, generation))
        return True

    async def _refusal(self, pod: Pod, allocated: Pod, others: Sequence[Pod]) -> Refusal | None:
        fault = infeasible(pod, allocated, self._ports.rules)
        if fault is None:
            return await self._ports.admission.refuse(pod, others)
        word, message = fault
        self._ports.metrics.infeasible.add(word)
        return Refusal(reason=INFEASIBLE, message=message)

    def _put_off(self, pod: Pod, refusal: Refusal) -> None:
        ports, generation = self._ports, pod.metadata.generation
        if not ports.conditions.defer(pod, refusal.reason, refusal.message):
            return
        reason = "ResizeInfeasible" if refusal.reason == INFEASIBLE else "ResizeDeferred"
        message = messages.resize_message(messages.pending(refusal.reason), pod, generation, refusal.message)
        ports.events.pod(pod, "Warning", reason, message)

    def _wait(self, uid: str) -> None:
        if uid not in self._pending:
            self._pending.append(uid)

    def _forget(self, uid: str) -> None:
        self._pending = [each for each in self._pending if each != uid]

    def _in_order(self) -> list[str]:
        ports = self._ports
        pods = [pod for uid in self._pending if (pod := ports.pod_of(uid)) is not None]
        pending = [
            PendingResize(
                wanted=pod,
                allocated=self.allocated(pod),
                since=waits.last_transition_time if (waits := ports.conditions.pending(pod.metadata.uid)) else None,
            )
            for pod in pods
        ]
        return [each.wanted.metadata.uid for each in in_order(pending)]

    def _count_changes(self, old: Pod, new: Pod) -> bool:
        """Count the changes that a pod wants. Returns whether there are any."""
        before = {each.name: sizes(each.resources) for each in resizable(old, self._ports.rules.gates)}
        has_changed = sizes(old.spec.resources) != sizes(new.spec.resources)
        for container in resizable(new, self._ports.rules.gates):
            was, now = before.get(container.name), sizes(container.resources)
            if was is None or was == now:
                continue
            has_changed = True
            for resource in ("memory", "cpu"):
                self._count(resource, "requests", was.request(resource), now.request(resource))
                self._count(resource, "limits", was.limit(resource), now.limit(resource))
        return has_changed

    def _count(self, resource: str, requirement: str, was: int, now: int) -> None:
        if was == now:
            return
        operation = "add" if not was else "remove" if not now else "increase" if now > was else "decrease"
        self._ports.metrics.requested.add(resource, requirement, operation)


def _shown(conditions: ResizeConditions, uid: str) -> list[tuple[str, str, str, int]]:
    """The conditions as the API shows them, without times."""
    return [(each.type, each.reason, each.message, each.observed_generation) for each in conditions.of(uid)]


def _has_shrunk(old: Pod, new: Pod) -> bool:
    """Whether a container's status shows less than before."""
    before = {each.name: sizes(each.resources) for each in old.status.container_statuses}
    for status in new.status.container_statuses:
        was, now = before.get(status.name), sizes(status.resources)
        if was is not None and (now.cpu_request < was.cpu_request or now.memory_request < was.memory_request):
            return True
    return False
