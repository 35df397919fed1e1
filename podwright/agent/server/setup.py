"""Makes the servers of an assembled agent, with their paths and certificates."""

from __future__ import annotations

import contextlib
import logging
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podwright.agent.assembly.agent import Agent
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.node import memory_qos_of
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.server import metrics
from podwright.agent.server.api.commands import CommandPaths
from podwright.agent.server.api.container_logs import LogPaths
from podwright.agent.server.api.debug import DebugFacts, DebugPaths
from podwright.agent.server.api.healthz import HealthPaths
from podwright.agent.server.api.late_streams import LateStreams, Streams
from podwright.agent.server.api.node_logs import NodeLogPaths
from podwright.agent.server.api.node_query import NodeLogQuery
from podwright.agent.server.api.pods import PodPaths
from podwright.agent.server.api.request_counts import RequestCounts
from podwright.agent.server.api.stats import StatsPaths
from podwright.agent.server.api.table import (
    GuardedPaths,
    OpenPaths,
    debug_routes,
    disabled_routes,
    guarded_routes,
    health_routes,
    open_routes,
)
from podwright.agent.server.api.targets import Targets
from podwright.agent.server.auth.api_reviews import ApiReviews
from podwright.agent.server.auth.authentication import Authenticator
from podwright.agent.server.auth.authorization import RequestAuthorizer
from podwright.agent.server.auth.certificates import ServerContexts
from podwright.agent.server.auth.guard import Guard
from podwright.agent.server.auth.reviews import NoReviews
from podwright.agent.server.early_ports import EarlyPorts
from podwright.agent.server.health import Health, loop_check
from podwright.agent.server.http.listener import Limits
from podwright.agent.server.http.routing import HttpRoute
from podwright.agent.server.servers import Descriptions, Servers
from podwright.agent.server.serving_certificate import tls_files
from podwright.agent.server.view import View
from podwright.agent.stats import claim_metrics
from podwright.agent.stats.records import PodStats
from podwright.errors import PodwrightError
from podwright.linux import cgroup

log = logging.getLogger(__name__)

NODE_LOGS = "/var/log"
CONNECTIONS = 1000
DESCRIPTORS_PER_CONNECTION = 4  # a stream has another one to the runtime; the rest is for the agent itself


class ShownConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration, to be shown: a KubeletConfiguration, and all flags."""

    document: Mapping[str, Any]
    flags: Mapping[str, str]


async def serve(
    config: AgentConfig, agent: Agent, shown: ShownConfig, ports: EarlyPorts, stack: contextlib.AsyncExitStack
) -> None:
    """Serve everything that is configured until `stack` ends. Raises FailedPrecondition and InvalidArgument."""
    server = config.server
    parts = _Parts(config, agent, shown)
    limits = Limits(connections=_connections(), stall_s=server.streaming_idle_timeout_s)
    servers = Servers(parts.counts, limits, ports)
    stack.push_async_callback(servers.close)
    reader = open_routes(parts.open)
    servers.serve_socket(config.process.socket, [*reader, *Descriptions(parts.view).routes()])
    if server.healthz_port:
        servers.serve_plain(server.healthz_address, server.healthz_port, health_routes(parts.open.health))
    if server.read_only_port:
        servers.serve_plain(server.address, server.read_only_port, [*reader, *disabled_routes()])
    if server.enabled:
        dependencies = agent.dependencies
        has_api = dependencies.servers is not None
        files = tls_files(config, dependencies.node_name, agent.node.facts.addresses, has_api=has_api)
        contexts = ServerContexts(files, config.security)
        servers.serve_api(server.address, server.port, parts.api_routes(), parts.guard(), contexts)
    if config.feature_gates["PodsAPI"]:
        await _serve_pods(config, agent, parts.view, stack)


async def _serve_pods(config: AgentConfig, agent: Agent, view: View, stack: contextlib.AsyncExitStack) -> None:
    # imports the messages of a Pod, which only this API needs
    from podwright.agent.server.pods_api.feed import PodFeed  # noqa: PLC0415
    from podwright.agent.server.pods_api.server import PodsApiPorts, PodsApiServer  # noqa: PLC0415

    dependencies = agent.dependencies
    feed = PodFeed(view.registry.get, dependencies.metrics.pod_watch_events_dropped)
    stack.callback(agent.statuses.on_change(feed.changed))
    server = PodsApiServer(config.process.root_dir, PodsApiPorts(pods=view.pods, feed=feed, clock=dependencies.clock))
    stack.push_async_callback(server.close)
    await server.start()


def _connections() -> int:
    """The limit of connections, as many as descriptors allow."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(CONNECTIONS, soft // DESCRIPTORS_PER_CONNECTION))


class _Parts:
    """The handlers of one agent."""

    def __init__(self, config: AgentConfig, agent: Agent, shown: ShownConfig) -> None:
        self._config = config
        self._agent = agent
        self._shown = shown
        engine = agent.engine
        self.counts = RequestCounts()
        self.view = View(
            registry=engine.registry,
            workers=engine.workers,
            status_of=agent.statuses.get,
            events=agent.events,
            problem=engine.problem,
        )
        self._health = Health(
            {
                "ping": lambda: "",
                "log": lambda: "",
                "syncloop": loop_check(engine.loop.silent_s, config.pods.sync_frequency_s),
            }
        )
        self._cgroup_version = 2 if cgroup.detect().layout == "v2" else 1
        self._started_s = agent.dependencies.clock.now_ns() / 1e9
        self.open = OpenPaths(
            health=HealthPaths(self._health),
            pods=PodPaths(self.view, engine.cache.all),
            stats=StatsPaths(
                agent.stats,
                agent.dependencies.runtime,
                engine.cache.all,
                agent.dependencies.machine,
                agent.dependencies.clock,
            ),
            own=self._metrics,
            slis=self._slis,
            probes=self._probe_metrics,
        )

    async def _metrics(self) -> bytes:
        families = (
            *self._agent.metric_families(),
            *metrics.node_families(self._node_view()),
            *self.counts.families(),
            *metrics.process_families(self._started_s),
            *claim_metrics.families(await self._with_claims()),
        )
        return exposition(families)

    async def _with_claims(self) -> tuple[PodStats, ...]:
        """The pods' statistics, if one of them has a claim."""
        wanted = self._agent.engine.registry.pods()
        if not any(
            volume.persistent_volume_claim or volume.ephemeral for pod in wanted for volume in pod.spec.volumes
        ):
            return ()
        try:
            return await self._agent.stats.pods()
        except (PodwrightError, OSError) as failure:
            log.warning("the figures of claims cannot be had: error=%s", failure)
            return ()

    def _node_view(self) -> metrics.NodeView:
        engine = self._agent.engine
        wanted = engine.registry.pods()
        return metrics.NodeView(
            name=self._agent.dependencies.node_name,
            observed=engine.cache.all(),
            wanted=wanted,
            active=engine.active_pods(),
            mirrors=engine.registry.mirrors(),
            known=engine.workers.known({pod.metadata.uid for pod in wanted}).values(),
            statuses=[entry.status for entry in self._agent.statuses.all()],
            volumes=self._agent.volume_counts(),
            gates=self._config.feature_gates,
            memory_qos=memory_qos_of(self._config),
            cgroup_version=self._cgroup_version,
            seen_at_s=self._seen_at_s(),
        )

    def _seen_at_s(self) -> float:
        """The time of the last look at the runtime, since the epoch. 0 before the first look."""
        silent_s = self._agent.engine.generator.silent_s()
        return self._agent.dependencies.clock.now_ns() / 1e9 - silent_s if silent_s is not None else 0.0

    async def _slis(self) -> bytes:
        return exposition(metrics.health_families(self._health))

    async def _probe_metrics(self) -> bytes:
        return exposition(self._agent.dependencies.metrics.probes.families())

    def guard(self) -> Guard:
        """The guard of the API."""
        security, dependencies = self._config.security, self._agent.dependencies
        reviews = ApiReviews(dependencies.servers.pods) if dependencies.servers is not None else NoReviews()
        return Guard(
            Authenticator(
                reviews if security.token_webhook else None,
                dependencies.clock,
                anonymous=security.anonymous,
                token_ttl_s=security.token_cache_ttl_s,
            ),
            RequestAuthorizer(
                reviews if security.authorization_mode == "Webhook" else None,
                dependencies.clock,
                allowed_ttl_s=security.authorized_cache_ttl_s,
                denied_ttl_s=security.unauthorized_cache_ttl_s,
            ),
            dependencies.node_name,
        )

    def api_routes(self) -> Sequence[HttpRoute]:
        """The routes of the authenticated server."""
        config, gates = self._config.server, self._config.feature_gates
        opened = open_routes(self.open)
        if not config.debugging_handlers:
            return [*opened, *disabled_routes()]
        guarded = guarded_routes(self._guarded(), self.open.pods, config, checkpoints=gates["ContainerCheckpoint"])
        paths = tuple(sorted({route.pattern for route in (*opened, *guarded)}))
        debug = DebugPaths(
            DebugFacts(document=self._shown.document, flags=self._shown.flags, paths=paths),
            self._agent.dependencies.clock,
        )
        shown = debug_routes(debug, config, statusz=gates["ComponentStatusz"], flagz=gates["ComponentFlagz"])
        return [*opened, *guarded, *shown]

    def _guarded(self) -> GuardedPaths:
        config, gates = self._config, self._config.feature_gates
        dependencies, cache = self._agent.dependencies, self._agent.engine.cache
        targets = Targets(self.view, cache.look)
        asks_journal = config.server.system_log_query and gates["NodeLogQuery"]
        return GuardedPaths(
            logs=LogPaths(
                self.view,
                dependencies.runtime,
                cache.peek,
                dependencies.clock,
                splits=gates["PodLogsQuerySplitStreams"],
            ),
            node_logs=NodeLogPaths(NODE_LOGS, NodeLogQuery(dependencies.runner) if asks_journal else None),
            streams=LateStreams(lambda: self._streams(targets)),
            commands=CommandPaths(targets, dependencies.runtime, dependencies.clock, config.process.root_dir),
        )

    def _streams(self, targets: Targets) -> Streams:
        from podwright.agent.server.api.streams import StreamPaths  # noqa: PLC0415 # see `late_streams`

        return StreamPaths(
            targets,
            self._agent.dependencies.runtime,
            self.counts.websockets,
            idle_timeout_s=self._config.server.streaming_idle_timeout_s,
            translates=self._config.feature_gates["ExtendWebSocketsToKubelet"],
        )
