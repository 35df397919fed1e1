"""The kubelet's metrics of the graceful node shutdown (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Gauge, InstrumentSet


class ShutdownMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.start = Gauge(
            "kubelet_graceful_shutdown_start_time_seconds",
            "Last graceful shutdown start time since unix epoch in seconds",
        )
        self.end = Gauge(
            "kubelet_graceful_shutdown_end_time_seconds",
            "Last graceful shutdown end time since unix epoch in seconds",
        )
