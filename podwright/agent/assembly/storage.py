"""Makes the volume manager, and the builder of CRI's messages."""

from __future__ import annotations

from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.downward import DownwardFields
from podwright.agent.csi.drivers import CsiDrivers
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.selinux_mounts import SelinuxMounts
from podwright.linux import selinux


def make_volumes(context: AssemblyContext, cluster: Cluster, drivers: CsiDrivers) -> VolumeManager:
    """The volume manager. Its recovery finds mounted volumes."""
    node, dependencies = context.node, context.dependencies
    memory_bytes = node.allocatable["memory"].whole
    ports = VolumePorts(
        objects=cluster.objects,
        downward=DownwardFields(node.facts),
        events=context.events,
        clock=dependencies.clock,
        allocatable_bytes=lambda: memory_bytes,
        cluster=cluster.projections,
        storage=cluster.storage,
        node=cluster.node_volumes,
        drivers=drivers,
        runner=dependencies.runner,
        selinux=_selinux_mounts(context.config),
        metrics=dependencies.metrics.volumes,
    )
    return VolumeManager(ports, context.root)


def _selinux_mounts(config: AgentConfig) -> SelinuxMounts:
    file = selinux.contexts().file if selinux.is_enabled() else None
    return SelinuxMounts(file=file, all_access_modes=config.feature_gates["SELinuxMount"])
