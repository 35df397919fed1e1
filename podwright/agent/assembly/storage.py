"""The volumes of pods, and the messages to the runtime that mount them."""

from __future__ import annotations

from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.configs.downward import DownwardApi
from podwright.agent.csi.drivers import CsiDrivers
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.ports import VolumePorts


def make_volumes(context: AssemblyContext, cluster: Cluster, drivers: CsiDrivers) -> VolumeManager:
    """The manager of volumes. It finds what is mounted when it recovers."""
    node, dependencies = context.node, context.dependencies
    memory_bytes = node.allocatable["memory"].whole
    ports = VolumePorts(
        objects=cluster.objects,
        downward=DownwardApi(node.facts),
        events=context.events,
        clock=dependencies.clock,
        allocatable_bytes=lambda: memory_bytes,
        cluster=cluster.projections,
        storage=cluster.storage,
        node=cluster.node_volumes,
        drivers=drivers,
        runner=dependencies.runner,
        metrics=dependencies.metrics,
    )
    return VolumeManager(ports, context.root)
