"""Calls to the API server under the names of Go's client (component-base/metrics/prometheus/restclient)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet

CALL_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class CallMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.calls = Counter(
            "rest_client_requests_total",
            "Number of HTTP requests, partitioned by status code, method, and host.",
            ("code", "method", "host"),
        )
        self.durations = Histogram(
            "rest_client_request_duration_seconds",
            "Request latency in seconds. Broken down by verb, and host.",
            ("verb", "host"),
            buckets=CALL_BUCKETS,
        )

    def called(self, host: str, method: str, code: str, seconds: float) -> None:
        """Count one call."""
        self.calls.add(code, method, host)
        self.durations.observe(seconds, method, host)
