"""The `Cluster` of an agent without an API server: only its own sources have pods, and nothing is written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podwright.agent.cluster.protocol import ClusterPorts
from podwright.agent.configs.ports import Services
from podwright.agent.csi.drivers import ClusterInfo, NoCluster
from podwright.agent.engine.ports import EngineMirrors, NoCredentials, PodSource
from podwright.agent.housekeeping import PerPodState
from podwright.agent.images.accounts import NoAccounts, ServiceAccounts
from podwright.agent.metrics.prometheus import Family
from podwright.agent.mirrors import NoMirrors
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.resources.claims.api import Claims, NoClaims
from podwright.agent.runtime.handlers import Classes
from podwright.agent.volumes.ports import (
    ClusterSources,
    ClusterStorage,
    LoneNode,
    NoClusterSources,
    NoClusterStorage,
    NodeVolumes,
)


class Standalone:
    """A cluster that has nothing, see `protocol.Cluster`."""

    problem = ""

    def __init__(self, objects: ObjectGetter, services: Services, classes: Classes) -> None:
        self.sources: Mapping[str, PodSource] = {}
        self.objects = objects
        self.services = services
        self.classes = classes
        self.claims: Claims = NoClaims()
        self.credentials: PerPodState = NoCredentials()
        self.accounts: ServiceAccounts = NoAccounts()
        self.mirrors: EngineMirrors = NoMirrors()
        self.projections: ClusterSources = NoClusterSources()
        self.storage: ClusterStorage = NoClusterStorage()
        self.csi_node: ClusterInfo = NoCluster()
        self.node_volumes: NodeVolumes = LoneNode()

    def metric_families(self) -> Iterable[Family]:
        """There are none."""
        return ()

    def join(self, ports: ClusterPorts) -> None:
        """There is nothing to join."""

    async def refresh_node(self) -> None:
        """The agent's own node is all there is."""

    def node_changed(self) -> None:
        """Nobody reads the node's status."""

    async def close(self) -> None:
        """There is nothing to close."""
