"""Makes the managers that allot resources to pods: devices, claims, CPUs, memory, and resizes."""

from __future__ import annotations

from podwright.agent.admission.predicates import Predicates
from podwright.agent.allocation.feasibility import ResizeRules
from podwright.agent.allocation.resizes import Resizes, make_resizes
from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.configs.node import settings_of
from podwright.agent.configs.resources import may_swap
from podwright.agent.pods.allocation import ResizeGates
from podwright.agent.resources.claims.manager import ClaimPorts
from podwright.agent.resources.cpus.reconciling import CpuReconcilerPorts
from podwright.agent.resources.devices.health import device_statuses
from podwright.agent.resources.devices.manager import DevicePorts
from podwright.agent.resources.managers import ResourceManagers
from podwright.agent.resources.node_plugins import NodePlugins
from podwright.agent.resources.pod_resources.server import PodResourcesPorts
from podwright.agent.resources.pod_resources.shares import Shares
from podwright.agent.resources.topology.setup import usable_topology
from podwright.agent.runtime.records import CriContainerState
from podwright.k8s.objects import Pod, ResourceStatus


def make_plugins(context: AssemblyContext, cluster: Cluster) -> NodePlugins:
    """Device plug-ins and DRA drivers, with the devices and claims that they serve."""
    dependencies, shared, engine = context.dependencies, context.shared, context.engine

    async def is_running(uid: str, container: str) -> bool:
        observed = await shared.cache.look(uid)
        return any(each.state is CriContainerState.RUNNING for each in observed.instances(container))

    devices = DevicePorts(
        clock=dependencies.clock,
        metrics=dependencies.metrics.devices,
        all_sources_read=engine.all_sources_read,
        is_running=is_running,
        pods_changed=shared.pods_changed,
        nodes=[node.id for node in usable_topology().nodes],
    )
    claims = ClaimPorts(
        claims=cluster.claims,
        active_uids=engine.active_uids,
        all_sources_read=engine.all_sources_read,
        pods_changed=shared.pods_changed,
        clock=dependencies.clock,
        metrics=dependencies.metrics.claims,
        watches_health=context.config.feature_gates["ResourceHealthStatus"],
    )
    return NodePlugins(context.root, devices, claims)


def resource_health(plugins: NodePlugins, pod: Pod) -> dict[str, tuple[ResourceStatus, ...]]:
    """The health of the allotted resources of each container of the pod, by container."""
    devices, uid = plugins.devices.manager, pod.metadata.uid
    return {
        each.name: (*device_statuses(devices.health(uid, each.name)), *plugins.claims.health(pod, each))
        for each in pod.spec.containers
    }


def pod_resources_ports(
    context: AssemblyContext, managers: ResourceManagers, plugins: NodePlugins
) -> PodResourcesPorts:
    """The inputs of the pod-resources API."""
    dependencies, engine = context.dependencies, context.engine

    def active_pods() -> list[Pod]:
        pods = engine.active_pods()
        if engine.all_sources_read():
            managers.topology.retain([pod.metadata.uid for pod in pods])
        return pods

    return PodResourcesPorts(
        active_pods=active_pods,
        named=lambda namespace, name: context.shared.registry.named(f"{name}_{namespace}"),
        shares=Shares(
            devices=plugins.devices.manager, cpus=managers.cpus, memory=managers.memory, claims=plugins.claims
        ),
        metrics=dependencies.metrics.pod_resources,
        clock=dependencies.clock,
    )


def cpu_reconciler_ports(context: AssemblyContext, managers: ResourceManagers) -> CpuReconcilerPorts:
    """The inputs of the reconciler of CPUs."""
    engine = context.engine
    return CpuReconcilerPorts(
        manager=managers.cpus,
        runtime=context.dependencies.runtime,
        pods=lambda: engine.active_pods() if engine.all_sources_read() else None,
        look=context.shared.cache.peek,
        retain=managers.topology.retain,
    )


def make_pod_resizes(context: AssemblyContext, predicates: Predicates) -> Resizes:
    """The parts of in-place resize. A resize is accepted if the pod still fits on the node."""
    config, dependencies, node = context.config, context.dependencies, context.node
    settings = settings_of(config)
    rules = ResizeRules(
        gates=ResizeGates.of(config.feature_gates),
        cpu_policy=config.managers.cpu_policy,
        memory_policy=config.managers.memory_policy,
        may_swap=lambda pod, container: may_swap(pod, container, node.facts, settings),
    )
    return make_resizes(
        context.root,
        [predicates],
        context.shared.registry.get,
        context.events,
        dependencies.clock,
        dependencies.metrics.resizes,
        rules,
    )
