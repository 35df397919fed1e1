"""One process of the agent: the real parts around one engine, on the runtime and the disk of the world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TYPE_CHECKING, cast

from podwright.agent.allocation.resizes import Resizes, make_resizes
from podwright.agent.engine.engine import AgentEngine
from podwright.agent.engine.ports import EnginePorts, EngineSettings
from podwright.agent.engine.shared_state import SharedState
from podwright.agent.gc.containers import ContainerGc, ContainerGcPorts
from podwright.agent.gc.dead import DeadContainerLimits
from podwright.agent.housekeeping import PerPodParts
from podwright.agent.images.credentials import Logins
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.manager import ImageManager
from podwright.agent.images.pulling import Puller
from podwright.agent.metrics.resizes import ResizeMetrics
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.probes.attempt import Target
from podwright.agent.probes.manager import ProbeManager
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.resources.id_range import default_range
from podwright.agent.resources.userns import UserNamespaceAllocator
from podwright.agent.runtime.protocol import CriImages, CriRuntime
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.agent.status.manager import StatusManager, StatusPorts, VersionedStatus
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.workers.ports import SyncerPorts
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, Probe
from podwright.tasks import Tasks
from tests.agent.fakes.ports import FakeConfigs, FakeHttp, NoMirrors
from tests.agent.model.storm import Line
from tests.agent.volumes.build import InlineWork, ports

if TYPE_CHECKING:
    from tests.agent.model.world import World

MAX_PODS = 110
LONGEST_WAIT_S = 60.0


class ListSource:
    """Sends the sets that the world gives."""

    def __init__(self) -> None:
        self._sets: asyncio.Queue[list[Pod]] = asyncio.Queue()

    def put(self, pods: Collection[Pod]) -> None:
        self._sets.put_nowait(list(pods))

    async def sets(self) -> AsyncIterator[list[Pod]]:
        while True:
            yield await self._sets.get()


class Configs(FakeConfigs):
    """With ranges of ids for pods that have users of their own."""

    def __init__(self, logs: str, users: UserNamespaceAllocator) -> None:
        super().__init__(logs)
        self._users = users

    def sandbox(self, pod: Pod, attempt: int) -> api.PodSandboxConfig:
        if pod.spec.host_users is False:
            self._users.of(pod)
        return super().sandbox(pod, attempt)


class CheckedVolumes(VolumeManager):
    """The real volumes. None may go while a container of its pod runs."""

    before_removal: Callable[[str], None] = staticmethod(lambda uid: None)

    async def release(self, pod: Pod) -> None:
        self.before_removal(pod.metadata.uid)
        await super().release(pod)


class Prober:
    """Says what the world says of a container's health."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
        await asyncio.sleep(0.01)
        return self._world.probe(kind, target.pod.metadata.uid, target.container.name)

    def forget(self, pod: Pod) -> None:
        return None


class Life:
    """See the module's text."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.line = Line(world.runtime)
        self.runtime = cast("CriRuntime", self.line)
        self.sources = {name: ListSource() for name in world.wanted}
        self.tasks = Tasks()
        self.shared = SharedState(self.runtime, world.clock)
        self.watch = RuntimeWatch(self.runtime, world.clock)
        self.users = UserNamespaceAllocator(f"{world.root}/pods", default_range(), MAX_PODS)
        self.work = InlineWork()
        self.work.before = self._before_disk
        self.volumes = CheckedVolumes(ports(world.objects, world.events, world.clock), str(world.root), self.work)
        self.volumes.before_removal = world.removes_volumes
        self.probes = ProbeManager(
            Prober(world),
            self.shared.probe_decided,
            world.clock,
            look=self.shared.cache.peek,
            host_ip=lambda: "192.0.2.1",
        )
        self.statuses = self._make_statuses()
        self.statuses.on_change(self._changed)
        self.gc = self._make_gc()
        self.engine = self._make_engine()

    def _before_disk(self, key: str) -> None:
        if self.line.is_cut:
            raise asyncio.CancelledError
        self.world.before_disk()

    def _changed(self, entry: VersionedStatus) -> None:
        if not self.line.is_cut:
            self.world.status_changed(entry)

    def begin(self) -> None:
        """Start it as `app` does."""
        self.tasks.start(self._run(), name="start")

    async def _run(self) -> None:
        try:
            self.users.recover()
        except PodwrightError as failure:
            self.world.violation(f"the agent does not start: {failure}")
        await self.watch.first_answer("fake")
        self.watch.start()
        self.engine.start()
        self.tasks.start(self.gc.run(), name="container garbage")

    async def kill(self) -> None:
        """kill -9: nothing that it still does has an effect."""
        self.line.cut()
        closings: list[Awaitable[None]] = [
            self.tasks.close(),
            self.engine.close(),
            self.probes.close(),
            self.volumes.close(),
            self.watch.close(),
        ]
        await asyncio.gather(*closings)

    def _make_statuses(self) -> StatusManager:
        world = self.world
        return StatusManager(
            StatusPorts(
                clock=world.clock,
                messages=TerminationMessages(str(world.root), str(world.logs)),
                pod_of=self.shared.registry.get,
                mirror_of=self.shared.registry.mirror_of,
                may_run=self._may_run,
                finding_of=self.probes.finding_of,
                node_ips=lambda: ("192.0.2.1",),
                runtime_name=lambda: "fake",
                supports_recursive=lambda _: False,
            )
        )

    def _make_gc(self) -> ContainerGc:
        return ContainerGc(
            ContainerGcPorts(
                runtime=self.runtime,
                pods=self,
                look=self.shared.cache.peek,
                all_sources_read=lambda: self.engine.loop.all_sources_read,
                events=self.world.events,
                clock=self.world.clock,
                log_root=str(self.world.logs),
                links_directory=str(self.world.links),
                is_own=lambda _: True,
            ),
            DeadContainerLimits(),
        )

    def _may_run(self, uid: str) -> bool:
        return self.engine.workers.could_have_running_containers(uid)

    def should_content_be_removed(self, uid: str) -> bool:
        return self.engine.workers.should_content_be_removed(uid)

    def should_runtime_be_removed(self, uid: str) -> bool:
        return self.engine.workers.should_runtime_be_removed(uid)

    def is_termination_requested(self, uid: str) -> bool:
        return self.engine.workers.is_termination_requested(uid)

    def _make_resizes(self) -> Resizes:
        world = self.world
        world.root.mkdir(exist_ok=True)
        pod_of = self.shared.registry.get
        resizes = make_resizes(str(world.root), [], pod_of, world.events, world.clock, ResizeMetrics())
        resizes.recover()
        return resizes

    def _make_engine(self) -> AgentEngine:
        world, clock = self.world, self.world.clock
        images = cast("CriImages", self.line)
        puller = Puller(images, PullLimits(clock), None, clock, KeyedBackoff(longest_s=LONGEST_WAIT_S))
        mirrors, resizes = NoMirrors(), self._make_resizes()
        passes = SyncerPorts(
            runtime=self.runtime,
            looks=self.shared.cache,
            statuses=self.statuses,
            probes=self.probes,
            images=ImageManager(images, puller, Logins(world.objects, [], world.events), None, world.events, clock),
            configs=Configs(str(world.logs), self.users),
            volumes=self.volumes,
            cgroups=world.cgroups,
            objects=world.objects,
            users=self.users,
            resizes=resizes,
            mirrors=mirrors,
            http=FakeHttp(),
            events=world.events,
            clock=clock,
            network_problem=self.watch.network_problem,
            handler_of=lambda _: "",
            root=str(world.root),
            links_directory=str(world.links),
        )
        ports = EnginePorts(
            passes=passes,
            statuses=self.statuses,
            per_pod=PerPodParts(
                of_active=[self.probes],
                of_known=[self.statuses, self.users, resizes],
                volumes=self.volumes,
                cgroups=world.cgroups,
                mirrors=mirrors,
            ),
            dead_containers=self.gc,
            runtime_problem=self.watch.problem,
        )
        settings = EngineSettings(longest_restart_wait_s=LONGEST_WAIT_S, evented=world.evented)
        return AgentEngine(settings, self.shared, ports, self.sources)
