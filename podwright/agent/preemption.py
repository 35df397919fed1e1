"""Preemption: ends less important pods, so that a critical pod fits on this node (pkg/kubelet/preemption).

In a kubelet the whole loop waits for that. Here the critical pod is admitted at once, and only its worker waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from podwright.agent.admission.fit import Shortage
from podwright.agent.admission.victims import needs_of, victims
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.admission import AdmissionMetrics
from podwright.agent.workers.ending import Cause, Ender
from podwright.errors import ResourceExhausted
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks

PREEMPTING = "Preempting"
MESSAGE = "Preempted in order to admit critical pod"
CAUSE = Cause(
    reason=PREEMPTING,
    message=MESSAGE,
    disruption="Pod was preempted by Kubelet to accommodate a critical pod.",
    evicts=True,
)


class Preemptor:
    """Implements `predicates.Preemption`."""

    def __init__(
        self,
        ender: Ender,
        pods_changed: Callable[[Collection[str]], None],
        events: EventRecorder,
        metrics: AdmissionMetrics,
    ) -> None:
        """`pods_changed` is called with the UID of the critical pod when the others have ended."""
        self._ender = ender
        self._pods_changed = pods_changed
        self._events = events
        self._metrics = metrics
        self._waiting: set[str] = set()
        self._tasks = Tasks()

    def may_begin(self, uid: str) -> bool:
        """Whether the pod may start: it need not wait for others to end."""
        return uid not in self._waiting

    def make_room(self, pod: Pod, others: Sequence[Pod], short: Sequence[Shortage]) -> str:
        try:
            chosen = victims(pod, others, needs_of(short))
        except ResourceExhausted as failure:
            return f"preemption: error finding a set of pods to preempt: {failure}"
        self._waiting.add(pod.metadata.uid)
        self._tasks.start(self._end(pod, chosen, short[0].resource), name=f"make room for pod {pod.metadata.name}")
        return ""

    async def close(self) -> None:
        """Stop waiting for pods."""
        await self._tasks.close()

    async def _end(self, pod: Pod, chosen: Sequence[Pod], resource: str) -> None:
        try:
            await asyncio.gather(*(self._end_one(each, resource) for each in chosen))
        finally:
            self._waiting.discard(pod.metadata.uid)
            self._pods_changed([pod.metadata.uid])

    async def _end_one(self, pod: Pod, resource: str) -> None:
        self._events.pod(pod, "Warning", PREEMPTING, MESSAGE)
        if await self._ender.end(pod, CAUSE):
            self._metrics.preemptions.add(resource)
