"""Makes the parts that observe pods: probes, statuses, statistics."""

from __future__ import annotations

import functools

from podwright.agent.allocation.resizes import Resizes
from podwright.agent.assembly.cgroups import pods_cgroup
from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.assembly.managers import resource_health
from podwright.agent.configs.expansion import expand
from podwright.agent.csi.drivers import CsiDrivers
from podwright.agent.pods.places import pod_directory
from podwright.agent.probes.manager import ProbeManager
from podwright.agent.probes.prober import Prober
from podwright.agent.probes.probers import Probers
from podwright.agent.resources.keeping import PodCgroups
from podwright.agent.resources.node_plugins import NodePlugins
from podwright.agent.runtime.handlers import RuntimeHandlers
from podwright.agent.stats.provider import HostStats, StatsPorts
from podwright.agent.stats.setup import stats_settings
from podwright.agent.stats.volumes import VolumeUsage, VolumeUsagePorts
from podwright.agent.status.inputs import StatusGates
from podwright.agent.status.lives import PodLives
from podwright.agent.status.manager import StatusManager, StatusPorts
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.agent.volumes.manager import VolumeManager
from podwright.linux import cgroup


def make_probes(context: AssemblyContext) -> ProbeManager:
    """The probes of containers. Their results go to the loop."""
    dependencies, shared = context.dependencies, context.shared
    probers = Probers(dependencies.runtime, expand)
    return ProbeManager(
        Prober(probers, context.events, dependencies.metrics.probes, dependencies.clock),
        shared.probe_decided,
        dependencies.clock,
        look=shared.cache.peek,
        host_ip=lambda: context.node.facts.addresses[0],
    )


def make_statuses(
    context: AssemblyContext,
    probes: ProbeManager,
    handlers: RuntimeHandlers,
    plugins: NodePlugins,
    resizes: Resizes,
) -> StatusManager:
    """The status manager."""
    config, dependencies, shared = context.config, context.dependencies, context.shared
    ports = StatusPorts(
        clock=dependencies.clock,
        messages=TerminationMessages(context.root, config.container_logs.root),
        pod_of=shared.registry.get,
        mirror_of=shared.registry.mirror_of,
        may_run=context.engine.may_run,
        finding_of=probes.finding_of,
        node_ips=lambda: context.node.facts.addresses,
        runtime_name=lambda: dependencies.watch.version.name,
        supports_recursive=handlers.supports_recursive_read_only,
        gates=StatusGates.of(config.feature_gates),
        resource_health=functools.partial(resource_health, plugins),
        resizes_of=resizes.conditions.of,
        actuated=resizes.actuated.get,
    )
    return StatusManager(ports)


def count_lives(context: AssemblyContext, statuses: StatusManager) -> PodLives:
    """The counter of pods' starts and ends."""
    metrics, pod_of = context.dependencies.metrics.lives, context.shared.registry.get
    lives = PodLives(metrics, pod_of, lambda uid: statuses.get(uid) is not None, context.dependencies.clock)
    statuses.on_change(lives.changed)
    return lives


def make_stats(
    context: AssemblyContext, volumes: VolumeManager, drivers: CsiDrivers, cgroups: PodCgroups
) -> HostStats:
    """The provider of statistics."""
    config, dependencies, shared = context.config, context.dependencies, context.shared
    clock, host = dependencies.clock, cgroup.detect()
    usage = VolumeUsage(
        VolumeUsagePorts(mounted=volumes.mounted, ask=drivers.stats, events=context.events, clock=clock),
        config.volumes.stats_period_s,
        with_health=config.feature_gates["CSIVolumeHealth"],
    )
    ports = StatsPorts(
        runtime=dependencies.runtime,
        images=dependencies.images,
        clock=clock,
        host=host,
        observed=shared.cache.all,
        pods=shared.registry.pods,
        cgroup_of=cgroups.parent_of,
        pod_directory=lambda uid: pod_directory(context.root, uid),
        volumes=usage,
    )
    settings = stats_settings(
        config,
        host,
        node_name=dependencies.node_name,
        endpoint=dependencies.endpoint,
        pods_cgroup=pods_cgroup(context),
    )
    return HostStats(ports, settings)
