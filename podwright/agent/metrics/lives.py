"""The kubelet's metrics of how pods start, run and end (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import LATENCY_BUCKETS, Counter, Gauge, Histogram, InstrumentSet

START_BUCKETS = (
    *(0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0),
    *(360.0, 480.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0),
)


class LifeMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.starts = Histogram(
            "kubelet_pod_start_duration_seconds",
            "Duration in seconds from the agent seeing a pod for the first time to the pod starting to run",
            buckets=START_BUCKETS,
        )
        self.own_starts = Histogram(
            "kubelet_pod_start_sli_duration_seconds",
            "Duration in seconds from the creation of a pod to all its containers running, without the time of image "
            "pulls and init containers",
            buckets=START_BUCKETS,
        )
        self.whole_starts = Histogram(
            "kubelet_pod_start_total_duration_seconds",
            "Duration in seconds from the creation of a pod to all its containers running",
            buckets=START_BUCKETS,
        )
        self.first_network_start = Gauge(
            "kubelet_first_network_pod_start_sli_duration_seconds",
            "Duration in seconds to start the first pod with a network of its own, as "
            "kubelet_pod_start_sli_duration_seconds",
        )
        self.ended_containers = Counter(
            "kubelet_terminated_containers_total",
            "Cumulative number of container terminations.",
            ("container_type", "exit_code", "reason"),
        )
        self.status_syncs = Histogram(
            "kubelet_pod_status_sync_duration_seconds",
            "Duration in seconds from a change of a pod's status to the API server having it",
            buckets=LATENCY_BUCKETS,
        )
        self.restarted_pods = Counter(
            "kubelet_restarted_pods_total",
            "Number of pods that were started again under the UID of one that has ended",
            ("static",),
        )
        self.orphaned_pods = Counter(
            "kubelet_orphaned_runtime_pods_total",
            "Number of pods that the runtime had and no pod worker knew",
        )
        for static in ("", "true"):  # they exist before anything was counted
            self.restarted_pods.add(static, by=0)
