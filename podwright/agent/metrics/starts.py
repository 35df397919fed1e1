"""The kubelet's metrics of pods and containers that it starts (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, InstrumentSet


class StartMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.pods = Counter(
            "kubelet_started_pods_total",
            "Cumulative number of pods started",
        )
        self.pod_errors = Counter(
            "kubelet_started_pods_errors_total",
            "Cumulative number of errors when starting pods",
        )
        self.user_pods = Counter(
            "kubelet_started_user_namespaced_pods_total",
            "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux.",
        )
        self.user_pod_errors = Counter(
            "kubelet_started_user_namespaced_pods_errors_total",
            "Cumulative number of errors when starting pods with user namespaces. This metric will only be collected "
            "on Linux.",
        )
        self.containers = Counter(
            "kubelet_started_containers_total",
            "Cumulative number of containers started",
            ("container_type",),
        )
        self.container_errors = Counter(
            "kubelet_started_containers_errors_total",
            "Cumulative number of errors when starting containers",
            ("container_type", "code"),
        )
