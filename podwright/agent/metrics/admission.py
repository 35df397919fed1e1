"""The kubelet's metrics of the admission of pods (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, InstrumentSet


class AdmissionMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.refusals = Counter(
            "kubelet_admission_rejections_total",
            "Cumulative number pod admission rejections by the Kubelet.",
            ("reason",),
        )
        self.preemptions = Counter(
            "kubelet_preemptions",
            "Cumulative number of pod preemptions by preemption resource",
            ("preemption_signal",),
        )
