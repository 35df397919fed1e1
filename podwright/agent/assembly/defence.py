"""Makes the parts that protect the node: admission of pods, eviction, and graceful shutdown."""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.admission.allocation import AllocationCheck
from podwright.agent.admission.apparmor import AppArmorCheck
from podwright.agent.admission.chain import Check
from podwright.agent.admission.declared_features import DeclaredFeaturesCheck
from podwright.agent.admission.predicates import FreshNodePredicates, Predicates
from podwright.agent.admission.sysctls import SysctlCheck
from podwright.agent.assembly.cgroups import pods_cgroup
from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.eviction.admission import PressureCheck
from podwright.agent.eviction.manager import EvictionManager
from podwright.agent.eviction.setup import EvictionInputs, make_eviction
from podwright.agent.gc.containers import ContainerGc
from podwright.agent.gc.images import ImageGc
from podwright.agent.node.object import DECLARED, declared_features
from podwright.agent.resources.managers import ResourceManagers
from podwright.agent.shutdown.admission import ShutdownCheck
from podwright.agent.shutdown.groups import periods
from podwright.agent.shutdown.logind import connect_logind
from podwright.agent.shutdown.manager import ShutdownManager, ShutdownPorts
from podwright.agent.shutdown.state_file import ShutdownFile
from podwright.agent.stats.protocol import StatsProvider
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.workers.ending import Ender
from podwright.linux import apparmor


def make_checks(
    context: AssemblyContext,
    managers: ResourceManagers,
    predicates: Predicates,
    cluster: Cluster,
    eviction: EvictionManager,
    shutdown: ShutdownManager,
) -> list[Check]:
    """The checks that a new pod must pass, in the kubelet's order."""
    return [
        PressureCheck(lambda: eviction.pressures),
        SysctlCheck(context.config.pods.allowed_unsafe_sysctls),
        AllocationCheck(managers.topology, context.engine.all_sources_read),
        FreshNodePredicates(predicates, cluster.refresh_node),
        AppArmorCheck(has_apparmor=apparmor.is_enabled()),
        make_features(context),
        ShutdownCheck(lambda: shutdown.is_shutting_down),
    ]


def make_features(context: AssemblyContext) -> DeclaredFeaturesCheck:
    """The check of declared features. A node that declares none accepts pods as if it had all."""
    gates = context.config.feature_gates
    declared = declared_features(gates, context.dependencies.watch.state)
    return DeclaredFeaturesCheck(declared if gates["NodeDeclaredFeatures"] else DECLARED)


def make_node_eviction(
    context: AssemblyContext,
    stats: StatsProvider,
    ender: Ender,
    containers: ContainerGc,
    images: ImageGc,
    node_changed: Callable[[], None],
) -> EvictionManager:
    """The eviction manager. It removes garbage before it evicts a pod."""
    inputs = EvictionInputs(
        stats=stats,
        active=context.engine.active_pods,
        ender=ender,
        is_idle=context.engine.is_idle,
        is_finished=context.engine.is_finished,
        containers=containers,
        images=images,
        pressures_changed=node_changed,
        events=context.events,
        metrics=context.dependencies.metrics.eviction,
        clock=context.dependencies.clock,
        pods_cgroup=pods_cgroup(context),
    )
    return make_eviction(context.config, inputs)


def make_shutdown(
    context: AssemblyContext, ender: Ender, volumes: VolumeManager, node_changed: Callable[[], None]
) -> ShutdownManager:
    """The shutdown manager."""
    gates = context.config.feature_gates
    by_priority = gates["GracefulNodeShutdownBasedOnPodPriority"]
    found = periods(context.config.shutdown, by_priority=by_priority) if gates["GracefulNodeShutdown"] else ()
    ports = ShutdownPorts(
        connect=connect_logind,
        active=context.engine.active_pods,
        ender=ender,
        has_volumes=volumes.has_volumes,
        node_changed=node_changed,
        file=ShutdownFile(context.root),
        events=context.events,
        metrics=context.dependencies.metrics.shutdown,
        clock=context.dependencies.clock,
    )
    return ShutdownManager(ports, found, keeps_times=by_priority)
