"""The engine. `assembly` builds it for the agent and for `podwright run`, tests around a runtime in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from podwright.agent.admission.chain import Admission
from podwright.agent.engine.ports import EnginePorts, EngineSettings, PodSource
from podwright.agent.engine.shared_state import SharedState
from podwright.agent.housekeeping import Housekeeping, HousekeepingPorts
from podwright.agent.loop import LoopPorts, PodsChanged, SyncLoop
from podwright.agent.pleg.generator import Generator
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.pods.deadlines import deadline_ns
from podwright.agent.sources.merge import Merger
from podwright.agent.workers.pod_syncer import PodSyncer
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.worker import WorkerPorts
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks


class AgentEngine:
    """Syncs pods from `start` to `close`."""

    def __init__(
        self, settings: EngineSettings, shared: SharedState, ports: EnginePorts, sources: Mapping[str, PodSource]
    ) -> None:
        """`sources` by name: see `sources.changes`."""
        self._ports = ports
        self._sources = sources
        self._tasks = Tasks()
        self._loop_task: asyncio.Task[None] | None = None
        self._worker_tasks = Tasks()
        self.channels, self.registry, self.cache = shared.channels, shared.registry, shared.cache
        self.queue = WorkQueue(self.channels.wake)
        passes = ports.passes
        self.generator = Generator(
            passes.runtime, self.cache, passes.clock, evented=settings.evented, metrics=passes.metrics.pleg
        )
        restarts = Restarts(KeyedBackoff(longest_s=settings.longest_restart_wait_s), passes.events, passes.clock)
        syncer = PodSyncer(passes, restarts)
        self.workers = PodWorkers(
            WorkerPorts(
                syncer=syncer,
                looks=self.cache,
                queue=self.queue,
                events=passes.events,
                clock=passes.clock,
                tasks=self._worker_tasks,
                pod_gone=ports.dead_containers.pod_gone,
                pauses=settings.pauses,
                may_begin=ports.may_begin,
                active_s=self._active_s,
                allocated=passes.resizes.allocator.allocated,
                metrics=passes.metrics.workers,
            )
        )
        self._merger = Merger(passes.clock, self._dropped)
        self._housekeeping = self._make_housekeeping(restarts, syncer)
        self.loop = SyncLoop(self._loop_ports(settings), sources)

    def _make_housekeeping(self, restarts: Restarts, syncer: PodSyncer) -> Housekeeping:
        ports = self._ports
        return Housekeeping(
            HousekeepingPorts(
                registry=self.registry,
                workers=self.workers,
                cache=self.cache,
                restarts=restarts,
                parts=ports.per_pod,
                all_sources_read=lambda: self.loop.all_sources_read,
                metrics=ports.passes.metrics.lives,
                is_refused=ports.statuses.is_refused,
                again=self._request_housekeeping,
                end=syncer.sync_terminating_runtime_pod,
            )
        )

    def _loop_ports(self, settings: EngineSettings) -> LoopPorts:
        ports, passes = self._ports, self._ports.passes
        return LoopPorts(
            channels=self.channels,
            registry=self.registry,
            workers=self.workers,
            queue=self.queue,
            statuses=ports.statuses,
            admission=Admission(ports.admission),
            resizes=passes.resizes.allocator,
            dead_containers=ports.dead_containers,
            events=passes.events,
            clock=passes.clock,
            metrics=passes.metrics.admission,
            problem=self.problem,
            problem_of_change=ports.problem_of_change,
            housekeeping=self._housekeeping.run,
            housekeeping_s=settings.housekeeping_s,
        )

    def _request_housekeeping(self) -> None:  # housekeeping is made before the loop
        self.loop.request_housekeeping()

    def _active_s(self, pod: Pod) -> float | None:
        deadline = deadline_ns(pod, self._ports.statuses.get(pod.metadata.uid))
        return None if deadline is None else (deadline - self._ports.passes.clock.now_ns()) / 1e9

    def active_pods(self) -> list[Pod]:
        """The pods that run, or will."""
        return self.loop.active()

    def problem(self) -> str:
        """Why pods are not synced. Empty when they are."""
        return self._ports.runtime_problem() or self.generator.problem()

    def start(self) -> None:
        """Start to look at the runtime, read the sources and sync pods."""
        self.generator.start()
        for name, source in self._sources.items():
            self._tasks.start(self._read(name, source), name=f"source {name}")
        self._loop_task = self._tasks.start(self.loop.run(), name="sync loop")

    async def failed(self) -> None:
        """Wait until the loop ends, which only a bug makes it do."""
        if self._loop_task is not None:
            await asyncio.wait({self._loop_task})

    async def gone(self, uids: Collection[str]) -> None:
        """Wait until nothing is left of these pods, which no source wants: no worker, container, sandbox or volume."""
        while True:
            self.channels.offer("managers", PodsChanged(uids=()))  # starts a round of housekeeping
            await self._housekeeping.next_round()
            if not any(self._holds(uid) for uid in uids):
                return

    def _holds(self, uid: str) -> bool:
        return self.registry.get(uid) is not None or self.workers.is_known(uid) or self.cache.peek(uid) is not None

    async def close(self) -> None:
        """Stop syncing. The pods stay as they are."""
        await self._tasks.close()
        await self._housekeeping.close()
        await self._worker_tasks.close()
        await self.generator.close()

    async def _read(self, name: str, source: PodSource) -> None:
        async for pods in source.sets():
            for change in self._merger.merge(name, pods):
                await self.channels.put("sources", change)

    def _dropped(self, pod: Pod, reason: str) -> None:
        self._ports.passes.events.pod(pod, "Warning", "FailedValidation", f"Error validating pod: {reason}, ignoring")
