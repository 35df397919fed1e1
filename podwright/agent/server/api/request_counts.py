"""Counts the requests of each family of paths, for `/metrics`. Names and labels: pkg/kubelet/server/metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from podwright.agent.metrics.instruments import Counter, Gauge, Histogram
from podwright.agent.metrics.prometheus import Family
from podwright.agent.server.http.messages import Answer, Handler, HttpRequest

METHODS = frozenset({"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"})
LONG_RUNNING = frozenset({"exec", "attach", "portforward", "debug"})
BUCKETS = frozenset(
    (
        *("healthz", "pods", "stats", "metrics", "metrics/cadvisor", "metrics/probes", "metrics/resource", "run"),
        *("exec", "attach", "portForward", "containerLogs", "configz", "runningpods", "checkpoint", "logs", "debug"),
        *("statusz", "flagz"),
    )
)
LABELS = ("method", "path", "server_type", "long_running")


class RequestCounts:
    """Counts and measures requests on all servers."""

    def __init__(self) -> None:
        self._totals = Counter(
            "kubelet_http_requests_total",
            "[ALPHA] Number of the http requests received since the server started",
            LABELS,
        )
        self._in_flight = Gauge(
            "kubelet_http_inflight_requests", "[ALPHA] Number of the inflight http requests", LABELS
        )
        self._durations = Histogram(
            "kubelet_http_requests_duration_seconds", "[ALPHA] Duration in seconds to serve http requests", LABELS
        )
        self.websockets = Counter(
            "kubelet_websocket_streaming_requests_total",
            "Total number of WebSocket streaming requests (exec/attach/portforward) received by the kubelet.",
            ("subresource",),
        )

    async def __call__(self, request: HttpRequest, handler: Handler, server_type: str) -> Answer:
        """The handler's answer. `server_type` is `readwrite` or `readonly`."""
        bucket = bucket_of(request.path)
        method = request.method if request.method in METHODS else "other"
        labels = (method, bucket, server_type, str(bucket in LONG_RUNNING).lower())
        self._totals.add(*labels)
        self._in_flight.add(*labels)
        began = time.perf_counter()
        try:
            return await handler(request)
        finally:
            self._in_flight.add(*labels, by=-1)
            self._durations.observe(time.perf_counter() - began, *labels)

    def families(self) -> Iterator[Family]:
        """The metrics."""
        for each in (self._totals, self._in_flight, self._durations, self.websockets):
            yield from each.families()


def bucket_of(path: str) -> str:
    """The family of a path. Unknown paths are `other`, so that clients cannot make new families."""
    parts = path.strip("/").split("/")
    name = "/".join(parts[:2]) if parts[0] == "metrics" and len(parts) > 1 else parts[0]
    return name if name in BUCKETS else "other"
