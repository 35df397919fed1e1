"""The kubelet's metrics of the PLEG: relists, and the runtime's events (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import LATENCY_BUCKETS, Counter, Histogram, InstrumentSet


class PlegMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.relists = Histogram(
            "kubelet_pleg_relist_duration_seconds",
            "Duration in seconds for relisting pods in PLEG.",
        )
        self.relist_intervals = Histogram(
            "kubelet_pleg_relist_interval_seconds",
            "Interval in seconds between relisting in PLEG.",
        )
        self.discarded_events = Counter(
            "kubelet_pleg_discard_events",
            "The number of discard events in PLEG.",
        )
        self.event_latencies = Histogram(
            "kubelet_evented_pleg_connection_latency_seconds",
            "The latency of streaming connection with the CRI runtime, measured in seconds.",
            buckets=LATENCY_BUCKETS,
        )
        self.event_streams = Counter(
            "kubelet_evented_pleg_connection_success_count",
            "The number of times a streaming client was obtained to receive CRI Events.",
        )
        self.event_stream_errors = Counter(
            "kubelet_evented_pleg_connection_error_count",
            "The number of errors encountered during the establishment of streaming connection with the CRI runtime.",
        )
