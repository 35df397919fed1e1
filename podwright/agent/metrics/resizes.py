"""The kubelet's metrics of in-place resizes (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet

RESIZE_BUCKETS_MS = (
    *(10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0),
    *(10e3, 20e3, 30e3, 60e3, 120e3, 300e3, 600e3),
)


class ResizeMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.requested = Counter(
            "kubelet_container_requested_resizes_total",
            "Number of requested resizes, counted at the container level.",
            ("resource", "requirement", "operation"),
        )
        self.infeasible = Counter(
            "kubelet_pod_infeasible_resizes_total",
            "Number of infeasible resizes for pods.",
            ("reason_detail",),
        )
        self.accepted = Counter(
            "kubelet_pod_deferred_accepted_resizes_total",
            "Cumulative number of resizes that were accepted after being deferred.",
            ("retry_trigger",),
        )
        self.durations_ms = Histogram(
            "kubelet_pod_resize_duration_milliseconds",
            "Duration in milliseconds to actuate a pod resize",
            ("success",),
            buckets=RESIZE_BUCKETS_MS,
        )
