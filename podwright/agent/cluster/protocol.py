"""What the agent needs of a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.ports import Services
from podwright.agent.csi.drivers import ClusterInfo, CsiDrivers
from podwright.agent.engine.ports import EngineMirrors, PodSource
from podwright.agent.events.log import EventLog
from podwright.agent.housekeeping import PerPodState
from podwright.agent.images.accounts import ServiceAccounts
from podwright.agent.metrics.prometheus import Family
from podwright.agent.node.object import NodeFindings
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.resources.claims.api import Claims
from podwright.agent.runtime.handlers import Classes
from podwright.agent.status.manager import StatusManager
from podwright.agent.volumes.ports import ClusterSources, ClusterStorage, NodeVolumes
from podwright.process import ProcessRunner


class ClusterPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What of the agent takes part in the cluster."""

    config: AgentConfig
    statuses: StatusManager
    registry: PodRegistry
    events: EventLog
    csi_drivers: CsiDrivers
    may_run: Callable[[str], bool]  # whether containers of the pod with this UID may run
    findings: Callable[[], Awaitable[NodeFindings]]
    set_pod_cidr: Callable[[str], Awaitable[None]]
    runner: ProcessRunner
    on_registered: Callable[[], None]


class Cluster(Protocol):
    """What parts of the agent get from the cluster, and how the agent joins it."""

    sources: Mapping[str, PodSource]  # of pods that are bound to this node
    objects: ObjectGetter  # ConfigMaps and Secrets
    services: Services
    classes: Classes  # RuntimeClasses
    claims: Claims  # ResourceClaims
    credentials: PerPodState  # tokens of service accounts, and certificates of pods
    accounts: ServiceAccounts  # for credential providers
    mirrors: EngineMirrors  # of static pods
    projections: ClusterSources
    storage: ClusterStorage
    csi_node: ClusterInfo
    node_volumes: NodeVolumes

    @property
    def problem(self) -> str:
        """Why the node is not ready. Empty when the cluster is no reason."""

    def metric_families(self) -> Iterable[Family]:
        """The metrics of what pods get from the cluster."""

    def join(self, ports: ClusterPorts) -> None:
        """Register the node, follow what is bound to it, and write back."""

    async def refresh_node(self) -> None:
        """Get the newest version of the node's object. What is known stays when the API server does not answer."""

    def node_changed(self) -> None:
        """Have the node's status computed now."""

    async def close(self) -> None:
        """Stop following and writing. The cluster stays as it is."""
