"""Calls to the API server under the names of Go's client (component-base/metrics/prometheus/restclient)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet
from podwright.k8s.client.calls import ApiCall

SIZE_BUCKETS = (64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216)
CALL_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class CallMetrics(InstrumentSet):
    """The instruments. Implements `client.calls.CallListener`."""

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
        self.sent = Histogram(
            "rest_client_request_size_bytes",
            "Request size in bytes. Broken down by verb and host.",
            ("verb", "host"),
            buckets=SIZE_BUCKETS,
        )
        self.received = Histogram(
            "rest_client_response_size_bytes",
            "Response size in bytes. Broken down by verb and host.",
            ("verb", "host"),
            buckets=SIZE_BUCKETS,
        )
        self.waits = Histogram(
            "rest_client_rate_limiter_duration_seconds",
            "Client side rate limiter latency in seconds. Broken down by verb, and host.",
            ("verb", "host"),
            buckets=CALL_BUCKETS,
        )
        self.repetitions = Counter(
            "rest_client_request_retries_total",
            "Number of request retries, partitioned by status code, verb, and host.",
            ("code", "verb", "host"),
        )

    def called(self, call: ApiCall) -> None:
        self.calls.add(call.code, call.method, call.host)
        self.durations.observe(call.seconds, call.method, call.host)
        self.sent.observe(call.sent_bytes, call.method, call.host)
        if call.received_bytes is not None:
            self.received.observe(call.received_bytes, call.method, call.host)

    def waited(self, host: str, method: str, seconds: float) -> None:
        self.waits.observe(seconds, method, host)

    def repeated(self, host: str, method: str, code: str) -> None:
        self.repetitions.add(code, method, host)
