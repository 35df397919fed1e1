"""The `Cluster` of an agent with an API server: node, pods, their objects, and all that is written back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.cluster.protocol import ClusterPorts
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.ports import Services
from podwright.agent.csi.drivers import ClusterInfo
from podwright.agent.csi.node_info import CsiNodeInfo
from podwright.agent.csi.refreshing import Refresher
from podwright.agent.engine.ports import EngineMirrors, PodSource
from podwright.agent.events.log import EventLog
from podwright.agent.events.writer import EventWriter
from podwright.agent.housekeeping import PerPodState
from podwright.agent.images.accounts import ServiceAccounts
from podwright.agent.metrics.prometheus import Family
from podwright.agent.mirrors import ApiMirrors
from podwright.agent.node.current import CurrentNode
from podwright.agent.node.keeper import KeeperPorts, KeeperSettings, NodeKeeper
from podwright.agent.node.lease import NodeLease
from podwright.agent.node.pod_routes import PodRoutes
from podwright.agent.node.volumes import ClusterNodeVolumes
from podwright.agent.objects.accounts import ApiAccounts
from podwright.agent.objects.following import FollowedObjects
from podwright.agent.objects.projected import ApiProjections
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.objects.runtime_classes import ApiRuntimeClasses
from podwright.agent.objects.storage import ApiStorage
from podwright.agent.objects.tokens import PodTokens
from podwright.agent.objects.watches import ApiObjects
from podwright.agent.pod_certificates.issuing import GATE as POD_CERTIFICATES
from podwright.agent.pod_certificates.issuing import PodCertificates
from podwright.agent.pod_certificates.keys import ChildKeyMaker
from podwright.agent.resources.claims.api import ApiClaims, Claims
from podwright.agent.runtime.handlers import Classes
from podwright.agent.sources.api import ApiSource
from podwright.agent.sources.changes import API
from podwright.agent.status.writer import StatusWriter, WriterPorts
from podwright.agent.volumes.ports import ClusterSources, ClusterStorage, NodeVolumes
from podwright.errors import PodwrightError
from podwright.k8s.client.listwatch.progress import is_older
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects import ConfigMap, CSIDriver, Node, Pod, RuntimeClass, Secret, Service
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

Held = TypeVar("Held", ConfigMap, Secret)
REFRESH_S = 5.0  # the limit; no pod is admitted meanwhile


class ApiServers(msgspec.Struct, frozen=True, kw_only=True):
    """Clients of one API server, each with its own rate limit.

    Heartbeats must not wait for pods, nor pods for events.
    """

    pods: ApiServer
    heartbeats: ApiServer
    events: ApiServer


class ApiCluster:
    """See `protocol.Cluster`. Objects can be read at once. Writing begins with `join`."""

    def __init__(self, servers: ApiServers, node: CurrentNode, clock: Clock, events: EventLog) -> None:
        """`events` that are recorded before `join` are written too: they wait in the writer's queue."""
        self._servers = servers
        self._node = node
        self._clock = clock
        self._tasks = Tasks()
        name = node.node.metadata.name
        server = servers.pods
        self._event_writer = EventWriter(servers.events, name, clock)
        events.listen(self._event_writer.take)
        self._own_node = FollowedObjects(server, Node, Selection(fields=f"metadata.name={name}"))
        self._pods = FollowedObjects(server, Pod, Selection(fields=f"spec.nodeName={name}"))
        self._services = FollowedObjects(server, Service, Selection())
        self._classes = FollowedObjects(server, RuntimeClass, Selection())
        self._csi_drivers = FollowedObjects(server, CSIDriver, Selection())
        self._objects = ApiObjects(partial(self._watch, ConfigMap), partial(self._watch, Secret))
        self._csi_node = CsiNodeInfo(servers.heartbeats, node)
        self._keeper: NodeKeeper | None = None
        self._nodes: FollowedObjects[Node] | None = None  # all nodes, for the routes to their pods
        tokens = PodTokens(server, clock)
        self._certificates = PodCertificates(server, node, clock)
        projections = ApiProjections(server, tokens, self._certificates)
        self.sources: Mapping[str, PodSource] = {API: ApiSource(self._pods, node)}
        self.objects: ObjectGetter = self._objects
        self.services: Services = self._services
        self.classes: Classes = ApiRuntimeClasses(self._classes)
        self.claims: Claims = ApiClaims(server, name)
        self.per_pod: Sequence[PerPodState] = (projections,)
        self.accounts: ServiceAccounts = ApiAccounts(server, tokens)
        self.mirrors: EngineMirrors = ApiMirrors(server, node)
        self.projections: ClusterSources = projections
        self.storage: ClusterStorage = ApiStorage(server, self._csi_drivers, tokens)
        self.csi_node: ClusterInfo = self._csi_node
        self.node_volumes: NodeVolumes = ClusterNodeVolumes(node, self.node_changed)

    @property
    def problem(self) -> str:
        """See Cluster. The only problem is a missing CSINode."""
        return self._csi_node.problem

    def metric_families(self) -> Iterator[Family]:
        return self._certificates.families()

    def join(self, ports: ClusterPorts) -> None:
        servers, config, tasks = self._servers, ports.config, self._tasks
        self._keeper = NodeKeeper(self._keeper_ports(ports), _keeper_settings(config))
        writer = StatusWriter(
            WriterPorts(
                server=servers.pods,
                statuses=ports.statuses,
                registry=ports.registry,
                may_run=ports.may_run,
                clock=self._clock,
                took=ports.status_took,
            )
        )
        lease = NodeLease(servers.heartbeats, self._node, self._clock, ports.events, config.node.lease_duration_s)
        tasks.start(self._keeper.run(), name="node status")
        tasks.start(lease.run(), name="node lease")
        tasks.start(self._event_writer.run(), name="events to the API server")
        tasks.start(writer.run(), name="statuses to the API server")
        tasks.start(self._follow_node(), name="own node")
        if config.feature_gates[POD_CERTIFICATES]:
            keys = ChildKeyMaker(runner=ports.runner)
            tasks.start(self._certificates.run(keys, ports.events), name="certificates of pods")
        if config.node.pod_routes:
            self._nodes = FollowedObjects(servers.pods, Node, Selection())
            self._nodes.start()
            routes = PodRoutes(self._nodes, self._node.node.metadata.name, ports.runner)
            tasks.start(routes.run(), name="routes to other nodes' pods")
        tasks.start(self._csi_node.run(), name="CSINode")
        refresher = Refresher(ports.csi_drivers, self.storage.csi_driver)
        tasks.start(refresher.run(), name="figures of CSI drivers")
        for followed in self._all_followed():
            followed.start()

    async def close(self) -> None:
        await self._tasks.close()
        for followed in self._all_followed():
            await followed.close()
        if self._nodes is not None:
            await self._nodes.close()
        await self._objects.close()

    def _all_followed(self) -> tuple[FollowedObjects[Any], ...]:
        return (self._own_node, self._pods, self._services, self._classes, self._csi_drivers)

    def node_changed(self) -> None:
        if self._keeper is not None:
            self._keeper.look_again()

    def _keeper_ports(self, ports: ClusterPorts) -> KeeperPorts:
        return KeeperPorts(
            server=self._servers.heartbeats,
            node=self._node,
            findings=ports.findings,
            set_pod_cidr=ports.set_pod_cidr,
            on_registered=ports.on_registered,
            events=ports.events,
            clock=self._clock,
        )

    async def _follow_node(self) -> None:
        """Follow the labels, taints and pod CIDRs that others set on the node."""
        await self._node.registered.wait()
        while True:
            await self._own_node.changed()
            if (node := self._own_node.value()) is not None:
                self._take_node(node)

    async def refresh_node(self) -> None:
        name = self._node.node.metadata.name
        try:
            node = await self._servers.heartbeats.get(Node, name, timeout_s=REFRESH_S)
        except PodwrightError as failure:
            log.warning("the node cannot be read: node=%s error=%s", name, failure)
            return
        if self._node.is_registered:
            self._take_node(node)

    def _take_node(self, node: Node) -> None:
        if _is_newer(node, self._node.node):
            self._node.take(node)
            self.node_changed()

    def _watch(self, kind: type[Held], namespace: str, name: str) -> FollowedObjects[Held]:
        selection = Selection(namespace=namespace, fields=f"metadata.name={name}")
        followed = FollowedObjects(self._servers.pods, kind, selection, is_final=lambda found: bool(found.immutable))
        followed.start()
        return followed


def _keeper_settings(config: AgentConfig) -> KeeperSettings:
    node = config.node
    return KeeperSettings(
        registers=node.register,
        update_period_s=node.status_update_frequency_s,
        report_period_s=node.status_report_frequency_s,
    )


def _is_newer(node: Node, than: Node) -> bool:
    """Whether `node` is newer than `than`: resource versions grow (KEP-5504)."""
    new, old = node.metadata.resource_version, than.metadata.resource_version
    return new != old and not is_older(new, old)
