"""The paths of each server, in the kubelet's groups (pkg/kubelet/server/server.go)."""

from __future__ import annotations

import msgspec

from podwright.agent.config.node_sections import ServerSection
from podwright.agent.server.api import errors, metrics
from podwright.agent.server.api.commands import CommandPaths
from podwright.agent.server.api.container_logs import LogPaths
from podwright.agent.server.api.debug import DebugPaths
from podwright.agent.server.api.healthz import HealthPaths
from podwright.agent.server.api.late_streams import LateStreams
from podwright.agent.server.api.node_logs import NodeLogPaths
from podwright.agent.server.api.pods import PodPaths
from podwright.agent.server.api.stats import StatsPaths
from podwright.agent.server.http.messages import Answer, Handler, HttpRequest
from podwright.agent.server.http.routing import ANY, HttpRoute

GET_POST = frozenset({"GET", "POST"})
POST = frozenset({"POST"})
READ = frozenset({"GET", "HEAD"})
CONTAINER = "{namespace}/{pod}/{container}"
CONTAINER_OF_UID = "{namespace}/{pod}/{uid}/{container}"
DISABLED = ("/run", "/exec", "/attach", "/portForward", "/containerLogs", "/runningpods", "/debug/pprof", "/logs")


class OpenPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The handlers of every server. `probes` and `own` return texts of metrics."""

    health: HealthPaths
    pods: PodPaths
    stats: StatsPaths
    own: metrics.Text
    slis: metrics.Text
    probes: metrics.Text


class GuardedPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The handlers of the authenticated server alone."""

    logs: LogPaths
    node_logs: NodeLogPaths
    streams: LateStreams
    commands: CommandPaths


def health_routes(health: HealthPaths) -> list[HttpRoute]:
    """The routes of /healthz."""
    return [
        HttpRoute(pattern="/healthz", handler=health.all, methods=ANY),
        HttpRoute(pattern="/healthz/{check}", handler=health.one, methods=ANY),
    ]


def open_routes(paths: OpenPaths) -> list[HttpRoute]:
    """The routes of the read-only server."""
    texts = {
        "/metrics": paths.own,
        "/metrics/slis": paths.slis,
        "/metrics/cadvisor": paths.stats.cadvisor,
        "/metrics/resource": paths.stats.resource,
        "/metrics/probes": paths.probes,
    }
    return [
        *health_routes(paths.health),
        HttpRoute(pattern="/pods", handler=paths.pods.wanted),
        HttpRoute(pattern="/stats/summary", handler=paths.stats.summary, methods=GET_POST),
        *(HttpRoute(pattern=path, handler=metrics.of(text), methods=READ) for path, text in texts.items()),
    ]


def guarded_routes(
    paths: GuardedPaths, pods: PodPaths, config: ServerSection, *, checkpoints: bool
) -> list[HttpRoute]:
    """The routes that enableDebuggingHandlers enables. `checkpoints` is the gate ContainerCheckpoint."""
    streams, commands = paths.streams, paths.commands
    routes = [
        HttpRoute(pattern=f"/containerLogs/{CONTAINER}", handler=paths.logs.get),
        HttpRoute(pattern="/runningpods", handler=pods.running),
        HttpRoute(pattern="/portForward/{namespace}/{pod}", handler=streams.port_forward, methods=GET_POST),
        HttpRoute(pattern="/portForward/{namespace}/{pod}/{uid}", handler=streams.port_forward, methods=GET_POST),
    ]
    for place in (CONTAINER, CONTAINER_OF_UID):
        routes += [
            HttpRoute(pattern=f"/run/{place}", handler=commands.run, methods=POST),
            HttpRoute(pattern=f"/exec/{place}", handler=streams.exec, methods=GET_POST),
            HttpRoute(pattern=f"/attach/{place}", handler=streams.attach, methods=GET_POST),
        ]
    if checkpoints:
        routes.append(HttpRoute(pattern=f"/checkpoint/{CONTAINER}", handler=commands.checkpoint, methods=POST))
    if config.system_log_handler:
        routes.append(HttpRoute(pattern="/logs/*", handler=paths.node_logs.get, methods=READ))
    else:
        routes.append(_closed("/logs/*", "logs endpoint is disabled."))
    return routes


def debug_routes(debug: DebugPaths, config: ServerSection, *, statusz: bool, flagz: bool) -> list[HttpRoute]:
    """The routes for developers. `statusz` and `flagz` are the gates ComponentStatusz and ComponentFlagz."""
    routes = [HttpRoute(pattern="/configz", handler=debug.configz, methods=ANY)]
    if config.profiling_handler:
        routes.append(HttpRoute(pattern="/debug/pprof/*", handler=debug.profile))
    else:
        routes.append(_closed("/debug/pprof/*", "profiling endpoint is disabled."))
    if config.debug_flags_handler:
        routes.append(HttpRoute(pattern="/debug/flags/v", handler=debug.verbosity, methods=ANY))
    else:
        routes.append(_closed("/debug/flags/v", "flags endpoint is disabled."))
    if statusz:
        routes.append(HttpRoute(pattern="/statusz", handler=debug.statusz, methods=ANY))
    if flagz:
        routes.append(HttpRoute(pattern="/flagz", handler=debug.flagz, methods=ANY))
    return routes


def disabled_routes() -> list[HttpRoute]:
    """The routes in place of those of enableDebuggingHandlers if it is off."""
    return [_closed(f"{path}/*", "Debug endpoints are disabled.") for path in DISABLED]


def _closed(pattern: str, message: str) -> HttpRoute:
    return HttpRoute(pattern=pattern, handler=_refusing(message), methods=ANY)


def _refusing(message: str) -> Handler:
    async def handler(_: HttpRequest) -> Answer:
        return errors.plain(message, 405)

    return handler
