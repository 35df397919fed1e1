"""The kubelet's metrics of probes (pkg/kubelet/prober of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet


class ProbeMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.probes = Counter(
            "prober_probe_total",
            "Cumulative number of a liveness, readiness or startup probe for a container by result.",
            ("probe_type", "result", "container", "pod", "namespace", "pod_uid"),
        )
        self.durations = Histogram(
            "prober_probe_duration_seconds",
            "Duration in seconds for a probe response.",
            ("probe_type", "container", "pod", "namespace"),
        )

    def forget(self, uid: str, name: str, namespace: str) -> None:
        """Forget a pod that is not probed any more, so that the metrics of gone pods do not pile up."""
        self.probes.forget(lambda labels: labels["pod_uid"] == uid)
        self.durations.forget(lambda labels: (labels["pod"], labels["namespace"]) == (name, namespace))
