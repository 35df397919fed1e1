"""The kubelet's metrics of the runtime and of calls to it (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Gauge, Histogram, InstrumentSet

OPERATION_BUCKETS = tuple(0.005 * 2.5**power for power in range(14))


class RuntimeMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.operations = Counter(
            "kubelet_runtime_operations_total",
            "Cumulative number of runtime operations by operation type.",
            ("operation_type",),
        )
        self.operation_errors = Counter(
            "kubelet_runtime_operations_errors_total",
            "Cumulative number of runtime operation errors by operation type.",
            ("operation_type",),
        )
        self.operation_durations = Histogram(
            "kubelet_runtime_operations_duration_seconds",
            "Duration in seconds of runtime operations. Broken down by operation type.",
            ("operation_type",),
            buckets=OPERATION_BUCKETS,
        )
        self.sandboxes = Histogram(
            "kubelet_run_podsandbox_duration_seconds",
            "Duration in seconds of the run_podsandbox operations. Broken down by RuntimeClass.Handler.",
            ("runtime_handler",),
        )
        self.sandbox_errors = Counter(
            "kubelet_run_podsandbox_errors_total",
            "Cumulative number of the run_podsandbox operation errors by RuntimeClass.Handler.",
            ("runtime_handler",),
        )
        self.losing_support = Gauge(
            "kubelet_cri_losing_support",
            "the Kubernetes version that the currently running CRI implementation will lose support on "
            "if not upgraded.",
            ("version",),
        )
