"""How many requests each family of paths had, for `/metrics`. Names and labels: pkg/kubelet/server/metrics."""

from __future__ import annotations

import time
from collections import Counter

from podwright.agent.prometheus import Family, Histogram, Sample
from podwright.agent.server.http.messages import Answer, Handler, Request

METHODS = frozenset({"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"})
LONG_RUNNING = frozenset({"exec", "attach", "portforward", "debug"})
BUCKETS = frozenset(
    (
        *("healthz", "pods", "stats", "metrics", "metrics/cadvisor", "metrics/probes", "metrics/resource", "run"),
        *("exec", "attach", "portForward", "containerLogs", "configz", "runningpods", "checkpoint", "logs", "debug"),
        *("statusz", "flagz"),
    )
)
Key = tuple[str, str, str, str]


class RequestCounts:
    """Counts what handlers do, on all servers."""

    def __init__(self) -> None:
        self._totals: Counter[Key] = Counter()
        self._in_flight: Counter[Key] = Counter()
        self._durations: dict[Key, Histogram] = {}

    async def __call__(self, request: Request, handler: Handler, server_type: str) -> Answer:
        """The handler's answer. `server_type` is `readwrite` or `readonly`."""
        bucket = bucket_of(request.path)
        method = request.method if request.method in METHODS else "other"
        key = (method, bucket, server_type, str(bucket in LONG_RUNNING).lower())
        self._totals[key] += 1
        self._in_flight[key] += 1
        began = time.perf_counter()
        try:
            return await handler(request)
        finally:
            self._in_flight[key] -= 1
            self._durations.setdefault(key, Histogram()).observe(time.perf_counter() - began)

    def families(self) -> list[Family]:
        """What was counted."""
        return [
            Family(
                name="kubelet_http_requests_total",
                kind="counter",
                help="[ALPHA] Number of the http requests received since the server started",
                samples=tuple(Sample(value=count, labels=_labels(key)) for key, count in self._totals.items()),
            ),
            Family(
                name="kubelet_http_inflight_requests",
                kind="gauge",
                help="[ALPHA] Number of the inflight http requests",
                samples=tuple(Sample(value=count, labels=_labels(key)) for key, count in self._in_flight.items()),
            ),
            Family(
                name="kubelet_http_requests_duration_seconds",
                kind="histogram",
                help="[ALPHA] Duration in seconds to serve http requests",
                samples=tuple(
                    sample for key, histogram in self._durations.items() for sample in histogram.samples(_labels(key))
                ),
            ),
        ]


def bucket_of(path: str) -> str:
    """The family of a path; `other` for paths that are not known, so that clients cannot make families."""
    parts = path.strip("/").split("/")
    name = "/".join(parts[:2]) if parts[0] == "metrics" and len(parts) > 1 else parts[0]
    return name if name in BUCKETS else "other"


def _labels(key: Key) -> dict[str, str]:
    return dict(zip(("method", "path", "server_type", "long_running"), key, strict=True))
