"""The assembled agent: its parts in the order of their creation, its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from podwright.agent.admission.chain import Check
from podwright.agent.admission.predicates import Predicates
from podwright.agent.assembly.cgroups import enforce_reserved, make_cgroups
from podwright.agent.assembly.cluster import make_cluster
from podwright.agent.assembly.context import make_context
from podwright.agent.assembly.defence import make_checks, make_features, make_node_eviction, make_shutdown
from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.assembly.garbage import make_container_gc, make_image_gc, make_log_rotator
from podwright.agent.assembly.images import make_images, make_pull_records
from podwright.agent.assembly.managers import (
    cpu_reconciler_ports,
    make_plugins,
    make_pod_resizes,
    pod_resources_ports,
)
from podwright.agent.assembly.node import node_findings
from podwright.agent.assembly.statuses import count_lives, make_probes, make_stats, make_statuses
from podwright.agent.assembly.storage import make_volumes
from podwright.agent.cluster.protocol import ClusterPorts
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.builder import BuilderPorts, ConfigBuilder
from podwright.agent.configs.logs import links_directory
from podwright.agent.configs.node import settings_of
from podwright.agent.configs.ports import AllAllocations
from podwright.agent.csi.drivers import CsiDrivers
from podwright.agent.engine.engine import AgentEngine
from podwright.agent.engine.ports import EnginePorts, EngineSettings, PodSource
from podwright.agent.housekeeping import PerPodParts
from podwright.agent.metrics.prometheus import Family
from podwright.agent.node.object import NodeFindings
from podwright.agent.plugins.protocol import CSI_PLUGIN
from podwright.agent.pods.identity import is_static
from podwright.agent.preemption import Preemptor
from podwright.agent.probes.http_client import HookGetter
from podwright.agent.resources.id_range import IdRange, find_range
from podwright.agent.resources.managers import ResourceManagers
from podwright.agent.resources.userns import UserNamespaceAllocator
from podwright.agent.runtime.handlers import RuntimeHandlers
from podwright.agent.runtime.records import ImageStatus
from podwright.agent.workers.ending import PodEnder
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.worker import Pauses
from podwright.errors import PodwrightError
from podwright.tasks import Tasks

IDS_PER_POD = 65536  # without a configured number
IMAGES_TIMEOUT_S = 5.0  # for the images in the node's status


class Agent:
    """The agent. `assemble` makes it, `start` runs it."""

    def __init__(
        self, config: AgentConfig, dependencies: Dependencies, sources: Mapping[str, PodSource], ids: IdRange
    ) -> None:
        """`ids` are for pods with user namespaces. Raises PodwrightError and OSError."""
        self.config = config
        self.dependencies = dependencies
        self._context = context = make_context(config, dependencies)
        self.node, self.events, self.shared = context.node, context.events, context.shared
        self._cluster = make_cluster(dependencies, context.node.current, context.events)
        self._handlers = RuntimeHandlers(dependencies.watch, self._cluster.classes)
        self._users = UserNamespaceAllocator(f"{context.root}/pods", ids, config.pods.max_pods)
        self._csi_drivers = CsiDrivers(
            self._cluster.csi_node, clock=dependencies.clock, metrics=dependencies.metrics.volumes
        )
        self._volumes = make_volumes(context, self._cluster, self._csi_drivers)
        self._plugins = make_plugins(context, self._cluster)
        self._devices = self._plugins.devices.manager
        self._managers = ResourceManagers(
            config, context.node.capacity, [self._devices], dependencies.metrics.managers, dependencies.clock
        )
        self._cgroups = make_cgroups(context, self._managers, self._volumes)
        ender = PodEnder(context.engine, context.events)
        self._preemptor = Preemptor(ender, context.shared.pods_changed, context.events, dependencies.metrics.admission)
        predicates = Predicates(lambda: context.node.current.node, self._preemptor, self._devices.taken_counts)
        self._resizes = make_pod_resizes(context, predicates)
        self._probes = make_probes(context)
        self.statuses = make_statuses(context, self._probes, self._handlers, self._plugins, self._resizes)
        self._lives = count_lives(context, self.statuses)
        self.stats = make_stats(context, self._volumes, self._csi_drivers, self._cgroups)
        self._pull_records = make_pull_records(context)
        self._container_gc = make_container_gc(context)
        self._image_gc = make_image_gc(context, self._pull_records)
        self._rotator = make_log_rotator(context)
        node_changed = self._cluster.node_changed
        self._eviction = make_node_eviction(
            context, self.stats, ender, self._container_gc, self._image_gc, node_changed
        )
        self._shutdown = make_shutdown(context, ender, self._volumes, node_changed)
        checks = make_checks(context, self._managers, predicates, self._cluster, self._eviction, self._shutdown)
        ports = self._engine_ports(checks)
        self.engine = AgentEngine(self._settings(), context.shared, ports, {**sources, **self._cluster.sources})
        context.engine.set(self.engine)
        self._images: Sequence[ImageStatus] = ()
        self._tasks = Tasks()

    def _settings(self) -> EngineSettings:
        pods = self.config.pods
        return EngineSettings(
            pauses=Pauses(resync_s=pods.sync_frequency_s),
            longest_restart_wait_s=pods.max_restart_back_off_s or 300.0,
            housekeeping_s=self.dependencies.housekeeping_s,
        )

    def _engine_ports(self, checks: Sequence[Check]) -> EnginePorts:
        return EnginePorts(
            passes=self._syncer_ports(),
            statuses=self.statuses,
            per_pod=self._per_pod_parts(),
            dead_containers=self._container_gc,
            runtime_problem=self.dependencies.watch.problem,
            admission=checks,
            problem_of_change=make_features(self._context).problem_of_change,
            may_begin=self._preemptor.may_begin,
        )

    def _per_pod_parts(self) -> PerPodParts:
        """All parts that keep something for each pod, so that it is dropped when the pod is gone."""
        return PerPodParts(
            of_active=[self._probes],
            of_known=[self.statuses, self._users, self._resizes, *self._cluster.per_pod],
            volumes=self._volumes,
            cgroups=self._cgroups,
            mirrors=self._cluster.mirrors,
        )

    def _syncer_ports(self) -> SyncerPorts:
        dependencies, cluster = self.dependencies, self._cluster
        return SyncerPorts(
            runtime=dependencies.runtime,
            looks=self.shared.cache,
            statuses=self.statuses,
            probes=self._probes,
            images=make_images(self._context, cluster, self._pull_records, self._lives.pulled),
            configs=self._make_configs(),
            volumes=self._volumes,
            cgroups=self._cgroups,
            objects=cluster.objects,
            users=self._users,
            resizes=self._resizes,
            mirrors=cluster.mirrors,
            claims=self._plugins.claims,
            http=HookGetter(),
            events=self.events,
            clock=dependencies.clock,
            network_problem=dependencies.watch.network_problem,
            handler_of=self._handlers.name_for,
            root=self._context.root,
            links_directory=links_directory(self.config.container_logs.root),
            metrics=dependencies.metrics,
        )

    def _make_configs(self) -> ConfigBuilder:
        ports = BuilderPorts(
            volumes=self._volumes,
            subpaths=self._volumes,
            objects=self._cluster.objects,
            cgroups=self._cgroups,
            users=self._users,
            handlers=self._handlers,
            events=self.events,
            allocations=AllAllocations(self._managers.topology, self._plugins.claims),
            lifts_quota=self._managers.cpus.lifts_quota_of,
            services=self._cluster.services,
        )
        return ConfigBuilder(ports, self.node.facts, settings_of(self.config))

    async def start(self) -> None:
        """Recover the state of an earlier agent, then start to sync pods. Raises PodwrightError and OSError."""
        await self._recover()
        self.dependencies.watch.start()
        if self.dependencies.has_plugins:
            shown = pod_resources_ports(self._context, self._managers, self._plugins)
            await self._plugins.start(shown, {CSI_PLUGIN: self._csi_drivers})
        self.engine.start()
        self._cluster.join(self._cluster_ports())
        self._tasks.start(self._container_gc.run(), name="container garbage")
        self._tasks.start(self._image_gc.run(), name="image garbage")
        self._tasks.start(self._rotator.run(), name="log rotation")
        if reconciler := self._managers.reconciler(cpu_reconciler_ports(self._context, self._managers)):
            self._tasks.start(reconciler.run(), name="CPUs of containers")
        self._tasks.start(self._eviction.run(), name="eviction")
        self._tasks.start(self._shutdown.run(), name="shutdown")

    async def _recover(self) -> None:
        self._users.recover()
        self._managers.recover()
        self._resizes.recover()
        await self._volumes.recover()
        await self._cgroups.start()
        await enforce_reserved(self._context)
        if self._pull_records is not None:
            dependencies = self.dependencies
            images = await dependencies.watch.insisted(dependencies.images.images, dependencies.endpoint)
            self._pull_records.recover(images)

    def _cluster_ports(self) -> ClusterPorts:
        return ClusterPorts(
            config=self.config,
            statuses=self.statuses,
            registry=self.shared.registry,
            events=self.events,
            csi_drivers=self._csi_drivers,
            may_run=self._context.engine.may_run,
            findings=self._findings,
            set_pod_cidr=self.dependencies.runtime.set_pod_cidr,
            runner=self.dependencies.runner,
            on_registered=self._sync_static_pods,
            status_took=self.dependencies.metrics.lives.status_syncs.observe,
        )

    def _sync_static_pods(self) -> None:
        """Sync static pods after the node is registered, because now it can own their mirrors."""
        self.shared.pods_changed([pod.metadata.uid for pod in self.shared.registry.pods() if is_static(pod)])

    async def _findings(self) -> NodeFindings:
        """The findings for the node's status."""
        problems = (
            self.engine.problem(),
            _network_message(self.dependencies.watch.network_problem()),
            self._shutdown.problem,
            self._cluster.problem,
        )
        return msgspec.structs.replace(
            node_findings(self.config, self.dependencies, self.node, self._devices.counts()),
            images=await self._node_images(),
            volumes_in_use=self._volumes.in_use(),
            pressures=self._eviction.pressures,
            problems=[problem for problem in problems if problem],
        )

    async def _node_images(self) -> Sequence[ImageStatus]:
        """The runtime's images. While it does not answer, those it had: that state must be reported, too."""
        with contextlib.suppress(PodwrightError, TimeoutError):
            async with asyncio.timeout(IMAGES_TIMEOUT_S):
                self._images = await self.dependencies.images.images()
        return self._images

    def volume_counts(self) -> tuple[Counter[str], Counter[str]]:
        """The numbers of volumes that are wanted and mounted, each by plug-in."""
        return self._volumes.counts()

    def metric_families(self) -> Iterator[Family]:
        """The agent's metrics."""
        yield from self.dependencies.metrics.families()
        yield from self._cluster.metric_families()

    async def close(self) -> None:
        """Stop syncing pods. They run on."""
        await self._tasks.close()
        await self._preemptor.close()
        await self._shutdown.close()
        await self._plugins.close()
        await self._cluster.close()
        await self.stats.close()
        await self.engine.close()
        await self._probes.close()
        await self._volumes.close()
        await self._cgroups.close()
        await self.dependencies.watch.close()


async def assemble(config: AgentConfig, dependencies: Dependencies, sources: Mapping[str, PodSource]) -> Agent:
    """Make the agent and its root directory. Raises PodwrightError and OSError."""
    os.makedirs(config.process.root_dir, mode=0o750, exist_ok=True)
    ids = await find_range(dependencies.runner, config.pods.user_namespace_ids or IDS_PER_POD)
    return Agent(config, dependencies, sources, ids)


def _network_message(problem: str) -> str:
    return f"container runtime network not ready: {problem}" if problem else ""
