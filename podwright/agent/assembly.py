"""The rooms of the agent, made of its configuration and of this machine, around one engine.

`app` starts what is assembled here, and `run` assembles the same for the pods of a file.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from podwright.agent.admission.allocation import AllocationCheck
from podwright.agent.admission.apparmor import AppArmor
from podwright.agent.admission.chain import Check
from podwright.agent.admission.predicates import Predicates
from podwright.agent.admission.sysctls import Sysctls
from podwright.agent.allocation.feasibility import ResizeRules
from podwright.agent.allocation.resizes import Resizes, make_resizes
from podwright.agent.clock import Clock, utc_now
from podwright.agent.cluster import Cluster, ClusterPorts, Servers
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.builder import BuilderPorts, ConfigBuilder
from podwright.agent.configs.downward import DownwardApi
from podwright.agent.configs.expansion import expand
from podwright.agent.configs.logs import links_directory
from podwright.agent.configs.node import look, memory_qos_of, settings_of
from podwright.agent.configs.ports import AllAllocations, NoServices, Services
from podwright.agent.configs.resources import may_swap
from podwright.agent.csi.drivers import CsiDrivers, NoCluster
from podwright.agent.csi.refreshing import Refresher
from podwright.agent.engine import Base, Engine, NoTokens, Rooms, Settings, Source
from podwright.agent.events.log import EventLog
from podwright.agent.eviction.admission import UnderPressure
from podwright.agent.eviction.manager import EvictionManager
from podwright.agent.eviction.setup import EvictionInputs, make_eviction
from podwright.agent.gc.containers import ContainerGc, ContainerGcPorts
from podwright.agent.gc.dead import KeptDead
from podwright.agent.gc.images import ImageGc, ImageGcPorts
from podwright.agent.gc.unused_images import ImagePolicy
from podwright.agent.images.credentials import LoginFiles, Logins, NodeLogins
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.manager import ImageManager
from podwright.agent.images.provider_config import read_providers
from podwright.agent.images.providers import CredentialProviders
from podwright.agent.images.pulling import Puller
from podwright.agent.images.record_files import RecordFiles
from podwright.agent.images.records import PullRecords
from podwright.agent.logs.rotation import LogLimits, LogRotator
from podwright.agent.loop import HOUSEKEEPING_S, PodsChanged
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.mirrors import NoMirrors
from podwright.agent.node.capacity import allocatable, capacity, reserved_amounts, texts
from podwright.agent.node.current import CurrentNode
from podwright.agent.node.machine import Machine
from podwright.agent.node.object import NodeFindings, declared_features, new_node, node_status
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.plugins.protocol import CSI_PLUGIN, PluginHandler
from podwright.agent.pods.allocation import ResizeGates
from podwright.agent.pods.backoff import Backoff
from podwright.agent.pods.identity import is_static
from podwright.agent.pods.places import pod_directory
from podwright.agent.preemption import Preemptor
from podwright.agent.probes.http_client import HookGetter
from podwright.agent.probes.manager import ProbeManager
from podwright.agent.probes.prober import Prober
from podwright.agent.probes.probers import Probers
from podwright.agent.resources.cgroup_names import CgroupNames, names_of
from podwright.agent.resources.cgroups import CgroupTree, NoCgroups
from podwright.agent.resources.claims.api import ApiClaims, Claims, NoClaims
from podwright.agent.resources.claims.manager import ClaimPorts
from podwright.agent.resources.cpus.reconciling import CpuReconcilerPorts
from podwright.agent.resources.devices.health import device_statuses
from podwright.agent.resources.devices.manager import DevicePorts
from podwright.agent.resources.drivers import CgroupDriver, CgroupfsDriver, SystemdDriver
from podwright.agent.resources.id_range import IdRange, find_range
from podwright.agent.resources.keeping import KeptCgroups
from podwright.agent.resources.limits import PIDS, CgroupLimits, LimitRules, limits_of_root
from podwright.agent.resources.managers import ResourceManagers
from podwright.agent.resources.node_plugins import NodePlugins
from podwright.agent.resources.pod_resources.server import PodResourcesPorts
from podwright.agent.resources.pod_resources.shares import Shares
from podwright.agent.resources.reserved import check_reservations, enforce, reserved_cgroups
from podwright.agent.resources.topology.hints import HintProvider
from podwright.agent.resources.topology.setup import usable_topology
from podwright.agent.resources.userns import UserNamespaceAllocator
from podwright.agent.runtime.handlers import RuntimeHandlers
from podwright.agent.runtime.protocol import CriImages, CriRuntime
from podwright.agent.runtime.records import ContainerState
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.agent.shutdown.admission import WhileShuttingDown
from podwright.agent.shutdown.groups import periods
from podwright.agent.shutdown.logind import connect_logind
from podwright.agent.shutdown.manager import ShutdownManager, ShutdownPorts
from podwright.agent.shutdown.state_file import ShutdownFile
from podwright.agent.sources.changes import API
from podwright.agent.stats.provider import HostStats, StatsPorts
from podwright.agent.stats.setup import stats_settings
from podwright.agent.stats.volumes import VolumeUsage, VolumeUsagePorts
from podwright.agent.status.inputs import StatusGates
from podwright.agent.status.manager import StatusManager, StatusPorts
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.agent.volumes import ports as volume_ports
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.workers.ending import PodEnder
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.worker import Pauses
from podwright.k8s.objects import Node, Pod, ResourceStatus, Taint
from podwright.k8s.quantity import NANO, Amount
from podwright.linux import apparmor, cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.process import ProcessRunner
from podwright.tasks import Tasks

STARTING = "container runtime status check may not have completed yet"  # a kubelet's first problem
IDS_PER_POD = 65536  # unless the configuration says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the agent stands on. `watch` has had its first answer."""

    runtime: CriRuntime
    images: CriImages
    watch: RuntimeWatch
    machine: Machine
    node_name: str
    clock: Clock
    runner: ProcessRunner
    objects: ObjectGetter  # without an API server
    servers: Servers | None = None  # the API server, if the agent is to join one
    cgroup_driver: str  # `cgroupfs` or `systemd`
    endpoint: str = ""  # of the runtime
    housekeeping_s: float = HOUSEKEEPING_S
    services: Services = field(default_factory=NoServices)
    has_plugins: bool = True  # whether plug-ins of the node may register: not with an agent that ends with its pods
    is_own: Callable[[str], bool] = lambda _: True  # whether what is left of the pod with this UID may be removed
    metrics: KubeletMetrics = field(default_factory=KubeletMetrics)


class Agent:
    """The assembled agent: made by `assemble`, and not running yet."""

    def __init__(self, config: AgentConfig, outside: Outside, sources: Mapping[str, Source], ids: IdRange) -> None:
        """`ids` are for pods with users of their own. Raises PodwrightError and OSError."""
        root = config.process.root_dir
        self.config = config
        self.outside = outside
        self.base = Base(outside.runtime, outside.clock, outside.metrics)
        self.events = EventLog(outside.clock, outside.node_name)
        self.capacity = capacity(outside.machine, config, root)
        check_reservations(self.capacity, config)
        self.allocatable = allocatable(self.capacity, config)
        self._plugins = self._make_plugins()
        self.devices = self._plugins.devices.manager
        self.facts = look(
            outside.node_name, outside.machine, _addresses(config, outside.machine), texts(self.allocatable)
        )
        self.node = CurrentNode(self._make_node())
        self.cluster = Cluster(outside.servers, self.node, outside.clock) if outside.servers is not None else None
        self.objects: ObjectGetter = self.cluster.objects if self.cluster is not None else outside.objects
        self.handlers = RuntimeHandlers(outside.watch, self.cluster.classes if self.cluster is not None else None)
        self.users = UserNamespaceAllocator(f"{root}/pods", ids, config.pods.max_pods)
        self.csi_drivers = CsiDrivers(self.cluster.csi_node if self.cluster is not None else NoCluster())
        self.volumes = VolumeManager(self._volume_ports(), root)
        self.probes = self._make_probes()
        self.preemptor = Preemptor(lambda: self.ender, self._look_at, self.events, outside.metrics)
        self.resizes = self._make_resizes()
        self.statuses = self._make_statuses()
        self.managers = ResourceManagers(
            config, self.capacity, self._make_device_managers(), outside.metrics.managers, outside.clock
        )
        self.cgroups = self._make_cgroups()
        self.stats = self._make_stats()
        self._records = self._make_records()
        self._container_gc = self._make_container_gc()
        if self.cluster is not None:
            sources = {**sources, API: self.cluster.source}
        self.engine = Engine(self._settings(), self.base, self._rooms(), sources)
        self._image_gc = self._make_image_gc()
        self.ender = PodEnder(self.engine.workers, self.events)
        self.eviction = self._make_eviction()
        self.shutdown = self._make_shutdown()
        self._rotator = self._make_rotator()
        self._tasks = Tasks()

    async def start(self) -> None:
        """Recover what an agent before this one has left, then look after pods. Raises PodwrightError and OSError."""
        self.users.recover()
        self.managers.recover()
        self.resizes.recover()
        await self.volumes.recover()
        await self.cgroups.start()
        await self._enforce_reserved()
        if self._records is not None:
            self._records.recover(await self.outside.images.images())
        self.outside.watch.start()
        if self.outside.has_plugins:
            await self._plugins.start(self._shown_resources(), self._plugin_handlers())
        self.engine.start()
        if self.cluster is not None:
            self.cluster.join(self._cluster_ports())
        self._tasks.start(self._container_gc.run(), name="container garbage")
        self._tasks.start(self._image_gc.run(), name="image garbage")
        self._tasks.start(self._rotator.run(), name="log rotation")
        if self.cluster is not None:
            refresher = Refresher(self.csi_drivers, self.cluster.storage.csi_driver)
            self._tasks.start(refresher.run(), name="figures of CSI drivers")
        if reconciler := self.managers.reconciler(self._cpu_ports()):
            self._tasks.start(reconciler.run(), name="CPUs of containers")
        self._tasks.start(self.eviction.run(), name="eviction")
        self._tasks.start(self.shutdown.run(), name="shutdown")

    async def close(self) -> None:
        """Look after pods no more; they run on."""
        await self._tasks.close()
        await self.preemptor.close()
        await self.shutdown.close()
        await self._plugins.close()
        if self.cluster is not None:
            await self.cluster.close()
        await self.stats.close()
        await self.engine.close()
        await self.probes.close()
        await self.volumes.close()
        await self.cgroups.close()
        await self.outside.watch.close()

    # -- what rooms ask of the engine, which is made after them

    def _may_run(self, uid: str) -> bool:
        return self.engine.workers.could_have_running_containers(uid)

    def _active_pods(self) -> list[Pod]:
        return self.engine.active_pods()

    def _all_sources_read(self) -> bool:
        return self.engine.loop.all_sources_read

    def _cpu_ports(self) -> CpuReconcilerPorts:
        return CpuReconcilerPorts(
            manager=self.managers.cpus,
            runtime=self.outside.runtime,
            pods=lambda: self._active_pods() if self._all_sources_read() else None,
            look=self.base.cache.peek,
            retain=self.managers.topology.retain,
        )

    # -- the API server

    def _cluster_ports(self) -> ClusterPorts:
        return ClusterPorts(
            config=self.config,
            statuses=self.statuses,
            registry=self.base.registry,
            events=self.events,
            may_run=self._may_run,
            findings=self.current_findings,
            set_pod_cidr=self.outside.runtime.set_pod_cidr,
            runner=self.outside.runner,
            on_registered=self._sync_static_pods,
        )

    def _look_at(self, uid: str) -> None:
        """Have the loop look at a pod."""
        self.base.channels.offer("managers", PodsChanged(uids=(uid,)))

    def _node_changed(self) -> None:
        """What the API is told of the node has changed."""
        if self.cluster is not None and self.cluster.keeper is not None:
            self.cluster.keeper.look_again()

    def _sync_static_pods(self) -> None:
        """The node is there to own their mirrors."""
        uids = tuple(pod.metadata.uid for pod in self.base.registry.pods() if is_static(pod))
        self.base.channels.offer("managers", PodsChanged(uids=uids))

    async def current_findings(self) -> NodeFindings:
        """What the node's status says now, with the images that it has. Raises PodwrightError."""
        return dataclasses.replace(
            self.node_findings(),
            images=await self.outside.images.images(),
            volumes_in_use=self.volumes.in_use(),
            pressures=self.eviction.pressures,
            problems=[
                problem
                for problem in (
                    self.engine.problem(),
                    _network_message(self.outside.watch.network_problem()),
                    self.shutdown.problem,
                    self.cluster.csi_node.problem if self.cluster is not None else "",
                )
                if problem
            ],
        )

    # -- rooms

    def _settings(self) -> Settings:
        pods = self.config.pods
        return Settings(
            root=self.config.process.root_dir,
            links_directory=links_directory(self.config.container_logs.root),
            pauses=Pauses(resync_s=pods.sync_frequency_s),
            longest_restart_wait_s=pods.max_restart_back_off_s or 300.0,
            housekeeping_s=self.outside.housekeeping_s,
        )

    def _rooms(self) -> Rooms:
        outside = self.outside
        return Rooms(
            runtime=outside.runtime,
            statuses=self.statuses,
            probes=self.probes,
            images=self._make_images(),
            configs=self._make_configs(),
            volumes=self.volumes,
            cgroups=self.cgroups,
            objects=self.objects,
            users=self.users,
            resizes=self.resizes,
            mirrors=self.cluster.mirrors if self.cluster is not None else NoMirrors(),
            http=HookGetter(),
            dead_containers=self._container_gc,
            events=self.events,
            clock=outside.clock,
            runtime_problem=outside.watch.problem,
            network_problem=outside.watch.network_problem,
            handler_of=self.handlers.name_for,
            admission=self._make_checks(),
            tokens=self.cluster.tokens if self.cluster is not None else NoTokens(),
            claims=self._plugins.claims,
            may_begin=self.preemptor.may_begin,
            metrics=outside.metrics,
        )

    def _make_checks(self) -> list[Check]:
        """In the kubelet's order: the first refusal decides."""
        return [
            UnderPressure(lambda: self.eviction.pressures),
            Sysctls(self.config.pods.allowed_unsafe_sysctls),
            AllocationCheck(self.managers.topology, self._all_sources_read),
            self._predicates(),
            AppArmor(has_apparmor=apparmor.is_enabled()),
            WhileShuttingDown(lambda: self.shutdown.is_shutting_down),
        ]

    def _make_device_managers(self) -> list[HintProvider]:
        """Those who allot devices."""
        return [self.devices]

    def _shown_resources(self) -> PodResourcesPorts:
        """What monitors may see of the pods."""
        return PodResourcesPorts(
            active_pods=self._pods_with_shares,
            named=lambda namespace, name: self.base.registry.named(f"{name}_{namespace}"),
            shares=Shares(
                devices=self.devices, cpus=self.managers.cpus, memory=self.managers.memory, claims=self._plugins.claims
            ),
            metrics=self.outside.metrics.devices,
            clock=self.outside.clock,
        )

    def _pods_with_shares(self) -> list[Pod]:
        pods = self._active_pods()
        if self._all_sources_read():
            self.managers.topology.retain([pod.metadata.uid for pod in pods])
        return pods

    def _make_plugins(self) -> NodePlugins:
        return NodePlugins(
            self.config.process.root_dir,
            DevicePorts(
                clock=self.outside.clock,
                metrics=self.outside.metrics.devices,
                all_sources_read=self._all_sources_read,
                is_running=self._is_running,
                pods_changed=self._pods_changed,
                nodes=[node.id for node in usable_topology().nodes],
            ),
            ClaimPorts(
                claims=self._claims_at_api(),
                active_uids=lambda: [pod.metadata.uid for pod in self._active_pods()],
                all_sources_read=self._all_sources_read,
                pods_changed=self._pods_changed,
                clock=self.outside.clock,
                metrics=self.outside.metrics.devices,
                watches_health=self.config.feature_gates["ResourceHealthStatus"],
            ),
        )

    def _claims_at_api(self) -> Claims:
        servers = self.outside.servers
        return NoClaims() if servers is None else ApiClaims(servers.pods, self.outside.node_name)

    def _resource_health(self, pod: Pod) -> dict[str, tuple[ResourceStatus, ...]]:
        uid = pod.metadata.uid
        return {
            each.name: (
                *device_statuses(self.devices.health(uid, each.name)),
                *self._plugins.claims.health(pod, each),
            )
            for each in pod.spec.containers
        }

    async def _is_running(self, uid: str, container: str) -> bool:
        observed = await self.base.cache.look(uid)
        return any(each.state is ContainerState.RUNNING for each in observed.instances(container))

    def _pods_changed(self, uids: Collection[str]) -> None:
        self.base.channels.offer("managers", PodsChanged(uids=tuple(uids)))

    def _predicates(self) -> Predicates:
        return Predicates(lambda: self.node.node, self.preemptor, self.devices.taken_counts)

    def _make_resizes(self) -> Resizes:
        outside, managers, settings = self.outside, self.config.managers, settings_of(self.config)
        rules = ResizeRules(
            gates=ResizeGates.of(self.config.feature_gates),
            cpu_policy=managers.cpu_policy,
            memory_policy=managers.memory_policy,
            may_swap=lambda pod, container: may_swap(pod, container, self.facts, settings),
        )
        root, pod_of = self.config.process.root_dir, self.base.registry.get
        return make_resizes(root, [self._predicates()], pod_of, self.events, outside.clock, outside.metrics, rules)

    def node_findings(self) -> NodeFindings:
        """What the node's status says now."""
        outside = self.outside
        counts = self.devices.counts()
        return NodeFindings(
            machine=outside.machine,
            addresses=self.facts.addresses,
            capacity={**texts(self.capacity), **_numbers(counts.capacity)},
            allocatable={**texts(self.allocatable), **_numbers(counts.allocatable)},
            runtime_version=outside.watch.version,
            runtime=outside.watch.state,
            port=self.config.server.port,
            max_images=self.config.node.status_max_images,
            declared_features=declared_features(self.config.feature_gates),
        )

    def _make_node(self) -> Node:
        """The node as this agent registers it; without an API server it is the node for all purposes."""
        config, outside = self.config.node, self.outside
        findings = dataclasses.replace(self.node_findings(), problems=(STARTING,))
        taints = [Taint(key=each.key, value=each.value, effect=each.effect) for each in config.taints]
        node = new_node(outside.node_name, findings, config.labels, taints, config.provider_id)
        return structs.replace(
            node, status=node_status(node.status, findings, outside.node_name, utc_now(outside.clock))
        )

    def _make_configs(self) -> ConfigBuilder:
        ports = BuilderPorts(
            volumes=self.volumes,
            subpaths=self.volumes,
            objects=self.objects,
            cgroups=self.cgroups,
            users=self.users,
            handlers=self.handlers,
            events=self.events,
            allocations=AllAllocations(self.managers.topology, self._plugins.claims),
            lifts_quota=self.managers.cpus.lifts_quota_of,
            services=self.cluster.services if self.cluster is not None else self.outside.services,
        )
        return ConfigBuilder(ports, self.facts, settings_of(self.config))

    def _volume_ports(self) -> VolumePorts:
        memory, cluster = self.allocatable["memory"].whole, self.cluster
        return VolumePorts(
            objects=self.objects,
            downward=DownwardApi(self.facts),
            events=self.events,
            clock=self.outside.clock,
            allocatable_bytes=lambda: memory,
            cluster=cluster.projections if cluster is not None else volume_ports.NoApiServer(),
            storage=cluster.storage if cluster is not None else volume_ports.NoClusterStorage(),
            node=cluster.node_volumes if cluster is not None else volume_ports.LoneNode(),
            drivers=self.csi_drivers,
            runner=self.outside.runner,
        )

    def _make_probes(self) -> ProbeManager:
        return ProbeManager(
            Prober(Probers(self.outside.runtime, expand), self.events, self.outside.metrics, self.outside.clock),
            self.base.probe_decided,
            self.outside.clock,
            look=self.base.cache.peek,
            host_ip=lambda: self.facts.addresses[0],
        )

    def _make_statuses(self) -> StatusManager:
        return StatusManager(
            StatusPorts(
                clock=self.outside.clock,
                messages=TerminationMessages(self.config.process.root_dir, self.config.container_logs.root),
                pod_of=self.base.registry.get,
                mirror_of=self.base.registry.mirror_of,
                may_run=self._may_run,
                finding_of=self.probes.finding_of,
                node_ips=lambda: self.facts.addresses,
                runtime_name=lambda: self.outside.watch.version.name,
                supports_recursive=self.handlers.supports_recursive_read_only,
                gates=StatusGates.of(self.config.feature_gates),
                resource_health=self._resource_health,
                resizes_of=self.resizes.conditions.of,
                actuated=self.resizes.actuated.get,
            )
        )

    def _make_cgroups(self) -> KeptCgroups:
        tree = self._make_tree() if self.config.cgroups.per_qos else NoCgroups()
        return KeptCgroups(tree, self._active_pods, self.volumes.has_volumes)

    def _make_tree(self) -> CgroupTree:
        config, host = self.config.cgroups, cgroup.detect()
        names = self._cgroup_names()
        rules = LimitRules(
            enforces_cpu=config.cpu_cfs_quota,
            cpu_period_us=round(config.cpu_cfs_quota_period_s * 1e6),
            max_pids=self.config.pods.max_pid_count,
            huge_page_sizes=self.facts.huge_page_sizes,
            memory_qos=memory_qos_of(self.config),
        )
        lifts_quota = self.managers.cpus.lifts_quota_of
        return CgroupTree(
            host, self._cgroup_driver(host), names, rules, self._root_limits(rules), self.events, lifts_quota
        )

    def _cgroup_driver(self, host: CgroupHost) -> CgroupDriver:
        is_systemd = self._cgroup_names().driver == "systemd"
        return SystemdDriver(host, self.outside.runner) if is_systemd else CgroupfsDriver(host)

    async def _enforce_reserved(self) -> None:
        host = cgroup.detect()
        reserved = reserved_cgroups(self.config, self._cgroup_names().driver)
        await enforce(reserved, host, self._cgroup_driver(host), self.events)

    def _cgroup_names(self) -> CgroupNames:
        is_systemd = self.outside.cgroup_driver == "systemd"
        return names_of("systemd" if is_systemd else "cgroupfs", self.config.cgroups.root)

    def _make_stats(self) -> HostStats:
        outside, config, root = self.outside, self.config, self.config.process.root_dir
        host = cgroup.detect()
        usage = VolumeUsage(
            VolumeUsagePorts(
                mounted=self.volumes.mounted, ask=self.csi_drivers.stats, events=self.events, clock=outside.clock
            ),
            config.volumes.stats_period_s,
            with_health=config.feature_gates["CSIVolumeHealth"],
        )
        return HostStats(
            StatsPorts(
                runtime=outside.runtime,
                images=outside.images,
                clock=outside.clock,
                host=host,
                observed=self.base.cache.all,
                pods=self.base.registry.pods,
                cgroup_of=self.cgroups.parent_of,
                pod_directory=lambda uid: pod_directory(root, uid),
                volumes=usage,
            ),
            stats_settings(
                config,
                host,
                node_name=outside.node_name,
                endpoint=outside.endpoint,
                pods_cgroup=self._cgroup_names().kubepods if config.cgroups.per_qos else "",
            ),
        )

    def _root_limits(self, rules: LimitRules) -> CgroupLimits:
        """What all pods get together: the capacity, without what is reserved when that is enforced."""
        reserved = reserved_amounts(self.config) if "pods" in self.config.reserved.enforced else ()
        max_pids = self.outside.machine.max_pids
        pids = {PIDS: Amount(max_pids * NANO)} if max_pids else {}
        return limits_of_root({**self.capacity, **pids}, reserved, rules)

    def _make_images(self) -> ImageManager:
        outside, images = self.outside, self.config.images
        parallel = 1 if images.serialize_pulls else images.max_parallel_pulls
        limits = PullLimits(outside.clock, parallel=parallel, qps=images.pull_qps, burst=images.pull_burst)
        puller = Puller(outside.images, limits, self._records, outside.clock, Backoff())
        logins = Logins(self.objects, self._login_sources(), self.events)
        return ImageManager(outside.images, puller, logins, self._records, self.events, outside.clock)

    def _login_sources(self) -> Sequence[NodeLogins]:
        config, found = self.config.images, [LoginFiles(self.config.process.root_dir)]
        sources: list[NodeLogins] = [*found]
        if config.credential_provider_config:
            directory = config.credential_provider_bin_dir
            providers = read_providers(config.credential_provider_config, directory)
            sources.append(CredentialProviders(providers, directory, self.outside.runner, self.outside.clock))
        return sources

    def _make_records(self) -> PullRecords | None:
        if not self.config.feature_gates["KubeletEnsureSecretPulledImages"]:
            return None
        images = self.config.images
        return PullRecords(
            RecordFiles(self.config.process.root_dir),
            self.outside.clock,
            policy=images.credentials_verification,
            allowlist=images.preloaded_allowlist,
            metrics=self.outside.metrics,
        )

    def _make_container_gc(self) -> ContainerGc:
        kept = self.config.dead_containers
        return ContainerGc(
            ContainerGcPorts(
                runtime=self.outside.runtime,
                pods=_PodStates(lambda: self.engine.workers),
                look=self.base.cache.peek,
                is_own=self.outside.is_own,
                all_sources_read=self._all_sources_read,
                events=self.events,
                clock=self.outside.clock,
                log_root=self.config.container_logs.root,
                links_directory=links_directory(self.config.container_logs.root),
            ),
            KeptDead(per_container=kept.per_container, total=kept.total, min_age_s=kept.min_age_s),
        )

    def _make_image_gc(self) -> ImageGc:
        images, records = self.config.images, self._records
        return ImageGc(
            ImageGcPorts(
                images=self.outside.images,
                runtime=self.outside.runtime,
                observed=self.base.cache.all,
                events=self.events,
                clock=self.outside.clock,
                on_removed=records.retain if records is not None else lambda *_: None,
            ),
            ImagePolicy(
                high_percent=images.gc_high_threshold_percent,
                low_percent=images.gc_low_threshold_percent,
                min_age_s=images.min_age_s,
                max_age_s=images.max_age_s,
            ),
        )

    def _make_eviction(self) -> EvictionManager:
        return make_eviction(
            self.config,
            EvictionInputs(
                stats=self.stats,
                active=self._active_pods,
                ender=self.ender,
                is_finished=self.engine.workers.should_be_finished,
                containers=self._container_gc,
                images=self._image_gc,
                pressures_changed=self._node_changed,
                events=self.events,
                metrics=self.outside.metrics,
                clock=self.outside.clock,
                pods_cgroup=self._cgroup_names().kubepods if self.config.cgroups.per_qos else "",
            ),
        )

    def _plugin_handlers(self) -> dict[str, PluginHandler]:
        """Who uses plug-ins of other kinds than devices."""
        return {CSI_PLUGIN: self.csi_drivers}

    def _make_shutdown(self) -> ShutdownManager:
        gates = self.config.feature_gates
        by_priority = gates["GracefulNodeShutdownBasedOnPodPriority"]
        found = periods(self.config.shutdown, by_priority=by_priority) if gates["GracefulNodeShutdown"] else ()
        ports = ShutdownPorts(
            connect=connect_logind,
            active=self._active_pods,
            ender=self.ender,
            has_volumes=self.volumes.has_volumes,
            node_changed=self._node_changed,
            file=ShutdownFile(self.config.process.root_dir),
            events=self.events,
            metrics=self.outside.metrics,
            clock=self.outside.clock,
        )
        return ShutdownManager(ports, found, keeps_times=by_priority)

    def _make_rotator(self) -> LogRotator:
        logs = self.config.container_logs
        limits = LogLimits(
            max_size_bytes=logs.max_size_bytes,
            max_files=logs.max_files,
            workers=logs.max_workers,
            period_s=logs.check_period_s,
        )
        return LogRotator(self.outside.runtime, self.base.cache.all, self.outside.clock, limits)


class _PodStates:
    """What the collector of containers asks the pod workers, which are made after it."""

    def __init__(self, workers: Callable[[], PodWorkers]) -> None:
        self._workers = workers

    def should_content_be_removed(self, uid: str) -> bool:
        return self._workers().should_content_be_removed(uid)

    def should_runtime_be_removed(self, uid: str) -> bool:
        return self._workers().should_runtime_be_removed(uid)

    def is_termination_requested(self, uid: str) -> bool:
        return self._workers().is_termination_requested(uid)


def _addresses(config: AgentConfig, machine: Machine) -> tuple[str, ...]:
    """The node's own: those that are configured, else those of the default routes."""
    return config.node.ips or machine.addresses


async def assemble(config: AgentConfig, outside: Outside, sources: Mapping[str, Source]) -> Agent:
    """Make the agent and the directory that it keeps its things in. Raises PodwrightError and OSError."""
    os.makedirs(config.process.root_dir, mode=0o750, exist_ok=True)
    ids = await find_range(outside.runner, config.pods.user_namespace_ids or IDS_PER_POD)
    return Agent(config, outside, sources, ids)


def _numbers(counts: Mapping[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}


def _network_message(problem: str) -> str:
    return f"container runtime network not ready: {problem}" if problem else ""
