"""The kubelet's metrics of pod workers (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Histogram, InstrumentSet

CONTAINERS_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0)


class WorkerMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.passes = Histogram(
            "kubelet_pod_worker_duration_seconds",
            "Duration in seconds to sync a single pod. Broken down by operation type: create, update, or sync",
            ("operation_type",),
        )
        self.starts = Histogram(
            "kubelet_pod_worker_start_duration_seconds",
            "Duration in seconds from kubelet seeing a pod to starting a worker.",
        )
        self.containers = Histogram(
            "kubelet_containers_per_pod_count",
            "The number of containers per pod.",
            buckets=CONTAINERS_BUCKETS,
        )
