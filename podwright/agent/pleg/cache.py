"""The newest look at every pod that the runtime holds.

A worker needs a look that began after its last change. If the cache has none, it looks at the pod. Each new look is
compared with the one before, and the differences become events.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Collection, Iterable

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.pleg.changes import PodEvent, changes, stages
from podwright.agent.runtime.convert import observed
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriContainerStatus, ObservedPod, SandboxStatus
from podwright.errors import NotFound
from podwright.tasks import retrieve

GONE_KEPT = 1000
NEVER = -math.inf
EVENT_S = 0.1  # to wait for an event before the runtime is called

Deliver = Callable[[PodEvent], None]


class StatusCache:
    """`deliver` is called with every event, in order."""

    def __init__(self, runtime: CriRuntime, clock: Clock, deliver: Deliver) -> None:
        self._runtime = runtime
        self._clock = clock
        self._deliver = deliver
        self._pods: dict[str, ObservedPod] = {}
        self._listed_at = NEVER
        self._unseen: frozenset[str] = frozenset()
        self._gone: dict[str, float] = {}  # when pods were seen to be gone: older looks at them do not count
        self._news: dict[str, asyncio.Event] = {}  # each set by the next look at the pod
        self.events_show_pods = False  # whether this runtime's events show containers
        self._looks: dict[str, tuple[float, asyncio.Task[ObservedPod]]] = {}

    def peek(self, uid: str) -> ObservedPod | None:
        """The newest look at a pod, however old. None if the runtime held nothing of the pod."""
        return self._pods.get(uid)

    def all(self) -> list[ObservedPod]:
        """The newest look at every pod that the runtime holds."""
        return list(self._pods.values())

    def listed(self, began: float, unseen: Collection[str]) -> None:
        """Note a complete list that began at `began`.

        Pods outside the cache had nothing then, except those in `unseen`.
        """
        self._listed_at, self._unseen = began, frozenset(unseen)

    async def shown(self, uid: str, is_enough: Callable[[ObservedPod], bool]) -> ObservedPod | None:
        """The newest look if it shows enough, else one that an event brings soon. None if neither shows enough.

        For callers that have just changed something: the event about it comes soon and costs no call.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENT_S):
                while (known := self._pods.get(uid)) is None or not is_enough(known):
                    if not self.events_show_pods:
                        return None
                    await self._news.setdefault(uid, asyncio.Event()).wait()
                return known
        return None

    def named(self, name: str, namespace: str) -> list[ObservedPod]:
        """The newest look at each pod with this name. There may be two, while one replaces the other."""
        return [pod for pod in self._pods.values() if (pod.name, pod.namespace) == (name, namespace)]

    async def newer_than(self, uid: str, time: float) -> ObservedPod:
        """A look that began after `time` (`Clock.monotonic`), taken now if there is none. Raises PodwrightError."""
        known = self._pods.get(uid)
        if known is None and uid not in self._looks and uid not in self._unseen:
            known = ObservedPod(uid=uid, seen_at=self._gone.get(uid, self._listed_at))
        if known is not None and known.seen_at > time:
            return known
        while True:
            under_way = self._looks.get(uid)
            if under_way is None:
                break
            began, task = under_way
            if began > time:
                return await asyncio.shield(task)
            await asyncio.wait({task})
        return await self.look(uid)

    async def look(self, uid: str) -> ObservedPod:
        """Look at a pod now. Concurrent callers share one look. Raises PodwrightError."""
        began = self._clock.monotonic()
        task = asyncio.create_task(self._look(uid, began), name=f"look at pod {uid}")
        self._looks[uid] = (began, task)
        task.add_done_callback(lambda done: self._ended(uid, done))
        return await asyncio.shield(task)

    def _ended(self, uid: str, task: asyncio.Task[ObservedPod]) -> None:
        if self._looks.get(uid, (0.0, None))[1] is task:
            del self._looks[uid]
        retrieve(task)

    async def _look(self, uid: str, began: float) -> ObservedPod:
        summaries, container_summaries = await asyncio.gather(
            self._runtime.pod_sandboxes(uid), self._runtime.pod_containers(uid)
        )
        pod = await self._details(
            uid, [item.id for item in summaries], {item.id: item.sandbox_id for item in container_summaries}, began
        )
        self.put(pod)
        return pod

    async def _details(
        self, uid: str, sandbox_ids: Iterable[str], container_ids: dict[str, str], began: float
    ) -> ObservedPod:
        """The statuses of these sandboxes and containers, without those that are removed meanwhile."""
        sandboxes: list[SandboxStatus] = []
        containers: dict[str, CriContainerStatus] = {}
        for sandbox_id in sandbox_ids:
            try:
                status, sent_along = await self._runtime.sandbox_status(sandbox_id)
            except NotFound:
                continue
            sandboxes.append(status)
            containers.update((each.id, each) for each in sent_along or ())
        for container_id, sandbox_id in container_ids.items():
            if container_id in containers:
                continue
            try:
                status_of = await self._runtime.container_status(container_id)
            except NotFound:
                continue
            containers[container_id] = msgspec.structs.replace(status_of, sandbox_id=sandbox_id)
        return observed(uid, sandboxes, containers.values(), began)

    def put(self, pod: ObservedPod) -> None:
        """Store a look unless there is a newer one, and deliver the events that follow from it."""
        if (news := self._news.pop(pod.uid, None)) is not None:
            news.set()
        known = self._pods.get(pod.uid)
        seen_at = known.seen_at if known is not None else self._gone.get(pod.uid, NEVER)
        if seen_at > pod.seen_at:
            return
        if pod.sandboxes or pod.containers:
            self._pods[pod.uid] = pod
            self._gone.pop(pod.uid, None)
        elif self._pods.pop(pod.uid, None) is not None:
            self._gone[pod.uid] = pod.seen_at
            if len(self._gone) > GONE_KEPT:
                del self._gone[next(iter(self._gone))]
        for event in changes(pod.uid, stages(known), stages(pod)):
            self._deliver(event)
