"""The interface between the agent and its cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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
    """What the cluster needs of the agent."""

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
    status_took: Callable[[float], None]  # hears in how many seconds a pod's status came to the API server


class Cluster(Protocol):
    """What the agent gets from the cluster, and how it joins."""

    sources: Mapping[str, PodSource]  # of pods that are bound to this node
    objects: ObjectGetter  # ConfigMaps and Secrets
    services: Services
    classes: Classes  # RuntimeClasses
    claims: Claims  # ResourceClaims
    per_pod: Sequence[PerPodState]  # the parts that keep something for each pod: tokens, certificates
    accounts: ServiceAccounts  # for credential providers
    mirrors: EngineMirrors  # of static pods
    projections: ClusterSources
    storage: ClusterStorage
    csi_node: ClusterInfo
    node_volumes: NodeVolumes

    @property
    def problem(self) -> str:
        """Why the node cannot be ready yet. Empty if the cluster knows no reason."""

    def metric_families(self) -> Iterable[Family]:
        """The metrics of what pods get from the cluster."""

    def join(self, ports: ClusterPorts) -> None:
        """Register the node, follow the pods that are bound to it, and write statuses and events."""

    async def refresh_node(self) -> None:
        """Fetch the newest Node object. If the API server does not answer, the known one stays."""

    def node_changed(self) -> None:
        """Compute the node's status now."""

    async def close(self) -> None:
        """Stop following and writing. The cluster stays as it is."""
