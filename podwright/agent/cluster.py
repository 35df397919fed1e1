"""What joins the agent to an API server: its node, the pods bound to it, what is written back, and their objects.

An agent without a kubeconfig has none of this and stands alone (`assembly` chooses).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from podwright.agent.clock import Clock
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.csi.node_info import CsiNodeInfo
from podwright.agent.events.log import EventLog
from podwright.agent.events.writer import EventWriter
from podwright.agent.mirrors import ApiMirrors
from podwright.agent.node.current import CurrentNode
from podwright.agent.node.keeper import KeeperPorts, KeeperSettings, NodeKeeper
from podwright.agent.node.lease import NodeLease
from podwright.agent.node.object import NodeFindings
from podwright.agent.node.pod_routes import PodRoutes
from podwright.agent.node.volumes import ClusterNodeVolumes
from podwright.agent.objects.following import Followed
from podwright.agent.objects.projected import ApiProjections
from podwright.agent.objects.runtime_classes import ApiRuntimeClasses
from podwright.agent.objects.storage import ApiStorage
from podwright.agent.objects.tokens import PodTokens
from podwright.agent.objects.watches import ApiObjects
from podwright.agent.pod_certificates.issuing import GATE as POD_CERTIFICATES
from podwright.agent.pod_certificates.issuing import PodCertificates
from podwright.agent.pod_certificates.keys import ChildKeyMaker
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.sources.api import ApiSource
from podwright.agent.status.manager import StatusManager
from podwright.agent.status.writer import StatusWriter, WriterPorts
from podwright.k8s.client.listwatch.progress import is_older
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects import ConfigMap, CSIDriver, Node, Pod, RuntimeClass, Secret, Service
from podwright.process import ProcessRunner
from podwright.tasks import Tasks

Held = TypeVar("Held", ConfigMap, Secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """One API server, with a rate limit for each use: heartbeats must not wait for pods, nor pods for events."""

    pods: ApiServer
    heartbeats: ApiServer
    events: ApiServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPorts:
    """What of the agent is joined."""

    config: AgentConfig
    statuses: StatusManager
    registry: PodRegistry
    events: EventLog
    may_run: Callable[[str], bool]  # whether containers of the pod with this UID may run
    findings: Callable[[], Awaitable[NodeFindings]]
    set_pod_cidr: Callable[[str], Awaitable[None]]
    runner: ProcessRunner
    on_registered: Callable[[], None]


class Cluster:
    """The objects that pods use, from the start; `join` adds what is written back."""

    def __init__(self, servers: Servers, node: CurrentNode, clock: Clock) -> None:
        self._servers = servers
        self._node = node
        self._clock = clock
        self._tasks = Tasks()
        name = node.node.metadata.name
        server = servers.pods
        self._own_node = Followed(server, Node, Selection(fields=f"metadata.name={name}"))
        self._pods = Followed(server, Pod, Selection(fields=f"spec.nodeName={name}"))
        self.services = Followed(server, Service, Selection())
        self._classes = Followed(server, RuntimeClass, Selection())
        self._csi_drivers = Followed(server, CSIDriver, Selection())
        self.classes = ApiRuntimeClasses(self._classes)
        self.objects = ApiObjects(partial(self._watch, ConfigMap), partial(self._watch, Secret))
        self.tokens = PodTokens(server, clock)
        self.certificates = PodCertificates(server, node, clock)
        self.projections = ApiProjections(server, self.tokens, self.certificates)
        self.storage = ApiStorage(server, self._csi_drivers, self.tokens)
        self.csi_node = CsiNodeInfo(servers.heartbeats, node)
        self.node_volumes = ClusterNodeVolumes(node, self._look_again)
        self.mirrors = ApiMirrors(server, node)
        self.source = ApiSource(self._pods, node)
        self.keeper: NodeKeeper | None = None
        self._nodes: Followed[Node] | None = None  # all of them, for the routes to their pods

    def join(self, ports: ClusterPorts) -> None:
        """Begin: register the node, follow what is bound to it, write back."""
        servers, config, tasks = self._servers, ports.config, self._tasks
        self.keeper = NodeKeeper(self._keeper_ports(ports), _keeper_settings(config))
        events = EventWriter(servers.events, self._node.node.metadata.name)
        ports.events.listen(events.take)
        writer = StatusWriter(
            WriterPorts(
                server=servers.pods,
                statuses=ports.statuses,
                registry=ports.registry,
                may_run=ports.may_run,
                clock=self._clock,
            )
        )
        lease = NodeLease(servers.heartbeats, self._node, self._clock, config.node.lease_duration_s)
        tasks.start(self.keeper.run(), name="node status")
        tasks.start(lease.run(), name="node lease")
        tasks.start(events.run(), name="events to the API server")
        tasks.start(writer.run(), name="statuses to the API server")
        tasks.start(self._follow_node(), name="own node")
        if config.feature_gates[POD_CERTIFICATES]:
            keys = ChildKeyMaker(runner=ports.runner)
            tasks.start(self.certificates.run(keys, ports.events), name="certificates of pods")
        if config.node.pod_routes:
            self._nodes = Followed(servers.pods, Node, Selection())
            self._nodes.start()
            routes = PodRoutes(self._nodes, self._node.node.metadata.name, ports.runner)
            tasks.start(routes.run(), name="routes to other nodes' pods")
        tasks.start(self.csi_node.run(), name="CSINode")
        for followed in self._all_followed():
            followed.start()

    async def close(self) -> None:
        """Leave the cluster as it is."""
        await self._tasks.close()
        for followed in self._all_followed():
            await followed.close()
        if self._nodes is not None:
            await self._nodes.close()
        await self.objects.close()

    def _all_followed(self) -> tuple[Followed[Any], ...]:
        return (self._own_node, self._pods, self.services, self._classes, self._csi_drivers)

    def _look_again(self) -> None:
        if self.keeper is not None:
            self.keeper.look_again()

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
        """Labels, taints and pod ranges that others give to the node."""
        await self._node.registered.wait()
        while True:
            await self._own_node.changed()
            if (node := self._own_node.value()) is not None and _is_newer(node, self._node.node):
                self._node.take(node)
                self._look_again()

    def _watch(self, kind: type[Held], namespace: str, name: str) -> Followed[Held]:
        selection = Selection(namespace=namespace, fields=f"metadata.name={name}")
        followed = Followed(self._servers.pods, kind, selection, is_final=lambda found: bool(found.immutable))
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
    """Resource versions grow (KEP-5504)."""
    new, old = node.metadata.resource_version, than.metadata.resource_version
    return new != old and not is_older(new, old)
