"""The `Cluster` of an agent without an API server: it has no pods, and nothing is written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from podwright.agent.cluster.protocol import ClusterPorts
from podwright.agent.configs.ports import Services
from podwright.agent.csi.drivers import ClusterInfo, NoCluster
from podwright.agent.engine.ports import EngineMirrors, PodSource
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
    """See `protocol.Cluster`. This one has nothing."""

    problem = ""

    def __init__(self, objects: ObjectGetter, services: Services, classes: Classes) -> None:
        self.sources: Mapping[str, PodSource] = {}
        self.objects = objects
        self.services = services
        self.classes = classes
        self.claims: Claims = NoClaims()
        self.per_pod: Sequence[PerPodState] = ()
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
        """Does nothing."""

    async def refresh_node(self) -> None:
        """Does nothing: the agent's own Node object is the newest."""

    def node_changed(self) -> None:
        """Does nothing: nobody reads the node's status."""

    async def close(self) -> None:
        """Does nothing."""
