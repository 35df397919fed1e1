"""The engine: sources, PLEG, loop, workers and housekeeping, tied together around the rooms that they work with.

`app` builds it for `podwright agent`, `run` for `podwright run`, tests around a runtime in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from podwright.agent.admission.chain import Admission, Check
from podwright.agent.allocation.resizes import Resizes
from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.housekeeping import Cleaned, Housekeeping, HousekeepingPorts, Kept
from podwright.agent.housekeeping import Mirrors as OrphanMirrors
from podwright.agent.loop import (
    HOUSEKEEPING_S,
    DeadContainers,
    LoopPorts,
    PodsChanged,
    Statuses,
    SyncLoop,
    new_channels,
)
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pleg.changes import PodEvent
from podwright.agent.pleg.generator import Generator
from podwright.agent.pods.backoff import Backoff
from podwright.agent.pods.deadlines import deadline_ns
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.probes.outcomes import ProbeOutcome
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.sources.merge import Merger
from podwright.agent.workers.hooks import Hooks, HttpGetter
from podwright.agent.workers.killing import Killer
from podwright.agent.workers.pod_syncer import PodSyncer, SyncerPorts
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.ports import (
    Cgroups,
    Claims,
    Configs,
    Images,
    Mirrors,
    NoClaims,
    Objects,
    Probes,
    StatusKeeper,
    UserRanges,
    Volumes,
)
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.resizing import Resizer, ResizerPorts
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.starting import Starter
from podwright.agent.workers.worker import Pauses, WorkerPorts
from podwright.k8s.objects import Pod, PodStatus
from podwright.tasks import Tasks


class Source(Protocol):
    """Where pods come from."""

    def sets(self) -> AsyncIterator[list[Pod]]:
        """The complete set of pods, whenever it may have changed. Without end."""


class StatusRoom(StatusKeeper, Statuses, Kept, Protocol):
    """`status.manager`, as workers, loop and housekeeping need it."""

    def get(self, uid: str) -> PodStatus | None:
        """The newest status; None for a pod that has none yet."""


class ProbeRoom(Probes, Kept, Protocol):
    """`probes.manager`."""


class VolumeRoom(Volumes, Cleaned, Protocol):
    """`volumes.manager`."""


class UserRoom(UserRanges, Kept, Protocol):
    """`resources.userns`."""


class CgroupRoom(Cgroups, Cleaned, Protocol):
    """`resources.cgroups`."""


class MirrorRoom(Mirrors, OrphanMirrors, Protocol):
    """What the API shows of static pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the engine is told of the configuration. Times are seconds."""

    root: str
    links_directory: str  # see `workers.starting`
    pauses: Pauses = field(default_factory=Pauses)
    longest_restart_wait_s: float = 300.0
    evented: bool = True
    housekeeping_s: float = HOUSEKEEPING_S


class NoTokens:
    """Without an API server pods have no tokens."""

    def retain(self, uids: Collection[str]) -> None:
        """There is nothing to forget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the engine works with."""

    runtime: CriRuntime
    statuses: StatusRoom
    probes: ProbeRoom
    images: Images
    configs: Configs
    volumes: VolumeRoom
    cgroups: CgroupRoom
    objects: Objects
    users: UserRoom
    resizes: Resizes
    mirrors: MirrorRoom
    http: HttpGetter
    dead_containers: DeadContainers
    events: EventRecorder
    clock: Clock
    runtime_problem: Callable[[], str]
    network_problem: Callable[[], str]
    handler_of: Callable[[Pod], str]
    admission: Sequence[Check] = ()
    tokens: Kept = field(default_factory=NoTokens)
    claims: Claims = field(default_factory=NoClaims)
    may_begin: Callable[[str], bool] = lambda _: True  # see WorkerPorts
    metrics: KubeletMetrics = field(default_factory=KubeletMetrics)


class Base:
    """What the engine and its rooms share: the pods that are wanted, what the runtime shows of them, the channels."""

    def __init__(self, runtime: CriRuntime, clock: Clock, metrics: KubeletMetrics | None = None) -> None:
        self._metrics = metrics or KubeletMetrics()
        self.channels = new_channels()
        self.registry = PodRegistry()
        self.cache = StatusCache(runtime, clock, self._runtime_changed)

    def _runtime_changed(self, event: PodEvent) -> None:
        # A full channel loses the event; the pod's next pass, and the next relist, see what it said.
        if not self.channels.offer("runtime", event):
            self._metrics.discarded_events.add()

    async def probe_decided(self, outcome: ProbeOutcome) -> None:
        """For the probes: what one of them has found."""
        await self.channels.put("probes", outcome)


class Engine:
    """Runs until it is closed."""

    def __init__(self, settings: Settings, base: Base, rooms: Rooms, sources: Mapping[str, Source]) -> None:
        """`sources` by name: see `sources.changes`."""
        self._rooms = rooms
        self._sources = sources
        self._tasks = Tasks()
        self._loop_task: asyncio.Task[None] | None = None
        self._worker_tasks = Tasks()
        self.channels, self.registry, self.cache = base.channels, base.registry, base.cache
        self.queue = WorkQueue(self.channels.wake)
        self.generator = Generator(
            rooms.runtime, self.cache, rooms.clock, evented=settings.evented, metrics=rooms.metrics
        )
        restarts = Restarts(Backoff(longest_s=settings.longest_restart_wait_s), rooms.events, rooms.clock)
        syncer = self._syncer(settings, restarts)
        self.workers = PodWorkers(
            WorkerPorts(
                syncer=syncer,
                statuses=self.cache,
                queue=self.queue,
                events=rooms.events,
                clock=rooms.clock,
                tasks=self._worker_tasks,
                pod_gone=rooms.dead_containers.pod_gone,
                pauses=settings.pauses,
                may_begin=rooms.may_begin,
                active_s=self._active_s,
                allocated=rooms.resizes.allocator.allocated,
                metrics=rooms.metrics,
            )
        )
        self._merger = Merger(rooms.clock, self._dropped)
        self._housekeeping = self._make_housekeeping(restarts, syncer)
        self.loop = SyncLoop(self._loop_ports(settings), sources)

    def _syncer(self, settings: Settings, restarts: Restarts) -> PodSyncer:
        rooms = self._rooms
        hooks = Hooks(rooms.runtime, rooms.http, rooms.configs.addresses, rooms.events, rooms.metrics)
        killer = Killer(rooms.runtime, hooks, rooms.events, rooms.clock)
        resizer = Resizer(
            ResizerPorts(
                runtime=rooms.runtime,
                cgroups=rooms.cgroups,
                configs=rooms.configs,
                resizes=rooms.resizes,
                events=rooms.events,
                clock=rooms.clock,
                metrics=rooms.metrics,
            )
        )
        starter = Starter(
            rooms.runtime,
            rooms.images,
            rooms.configs,
            hooks,
            killer,
            rooms.events,
            metrics=rooms.metrics,
            links_directory=settings.links_directory,
        )
        ports = SyncerPorts(
            runtime=rooms.runtime,
            statuses=rooms.statuses,
            starter=starter,
            killer=killer,
            resizer=resizer,
            configs=rooms.configs,
            images=rooms.images,
            volumes=rooms.volumes,
            cgroups=rooms.cgroups,
            probes=rooms.probes,
            objects=rooms.objects,
            users=rooms.users,
            mirrors=rooms.mirrors,
            claims=rooms.claims,
            events=rooms.events,
            network_problem=rooms.network_problem,
            shown=self.cache.shown,
            look=self.cache.look,
            handler_of=rooms.handler_of,
            root=settings.root,
            metrics=rooms.metrics,
        )
        return PodSyncer(ports, restarts)

    def _make_housekeeping(self, restarts: Restarts, syncer: PodSyncer) -> Housekeeping:
        rooms = self._rooms
        return Housekeeping(
            HousekeepingPorts(
                registry=self.registry,
                workers=self.workers,
                cache=self.cache,
                restarts=restarts,
                probes=rooms.probes,
                statuses=rooms.statuses,
                users=rooms.users,
                resizes=rooms.resizes,
                tokens=rooms.tokens,
                volumes=rooms.volumes,
                cgroups=rooms.cgroups,
                mirrors=rooms.mirrors,
                all_sources_read=lambda: self.loop.all_sources_read,
                is_refused=rooms.statuses.is_refused,
                again=self._keep_house_soon,
                end=syncer.sync_terminating_runtime_pod,
            )
        )

    def _loop_ports(self, settings: Settings) -> LoopPorts:
        rooms = self._rooms
        return LoopPorts(
            channels=self.channels,
            registry=self.registry,
            workers=self.workers,
            queue=self.queue,
            statuses=rooms.statuses,
            admission=Admission(rooms.admission),
            resizes=rooms.resizes.allocator,
            dead_containers=rooms.dead_containers,
            events=rooms.events,
            clock=rooms.clock,
            metrics=rooms.metrics,
            problem=self.problem,
            housekeeping=self._housekeeping.run,
            housekeeping_s=settings.housekeeping_s,
        )

    def _keep_house_soon(self) -> None:  # for a room that is made before the loop
        self.loop.keep_house_soon()

    def _active_s(self, pod: Pod) -> float | None:
        deadline = deadline_ns(pod, self._rooms.statuses.get(pod.metadata.uid))
        return None if deadline is None else (deadline - self._rooms.clock.now_ns()) / 1e9

    def active_pods(self) -> list[Pod]:
        """The pods that run, or will."""
        return self.loop.active()

    def problem(self) -> str:
        """Why pods are not synced; empty when they are."""
        return self._rooms.runtime_problem() or self.generator.problem()

    def start(self) -> None:
        """Begin: look at the runtime, read the sources, sync pods."""
        self.generator.start()
        for name, source in self._sources.items():
            self._tasks.start(self._read(name, source), name=f"source {name}")
        self._loop_task = self._tasks.start(self.loop.run(), name="sync loop")

    async def failed(self) -> None:
        """Wait until the loop has ended, which it never should."""
        if self._loop_task is not None:
            await asyncio.wait({self._loop_task})

    async def gone(self, uids: Collection[str]) -> None:
        """Return when nothing is left of pods that no source wants: no worker, no container, no sandbox, no volume."""
        while True:
            self.channels.offer("managers", PodsChanged(uids=()))  # something to keep house for
            await self._housekeeping.next_round()
            if not any(self._holds(uid) for uid in uids):
                return

    def _holds(self, uid: str) -> bool:
        return self.registry.get(uid) is not None or self.workers.is_known(uid) or self.cache.peek(uid) is not None

    async def close(self) -> None:
        """Leave the pods as they are, and look after them no more."""
        await self._tasks.close()
        await self._housekeeping.close()
        await self._worker_tasks.close()
        await self.generator.close()

    async def _read(self, name: str, source: Source) -> None:
        async for pods in source.sets():
            for change in self._merger.merge(name, pods):
                await self.channels.put("sources", change)

    def _dropped(self, pod: Pod, reason: str) -> None:
        self._rooms.events.pod(pod, "Warning", "FailedValidation", f"Error validating pod: {reason}, ignoring")
