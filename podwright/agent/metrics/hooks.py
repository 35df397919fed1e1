"""The kubelet's metrics of life cycle hooks (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, InstrumentSet


class HookMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.early_sleep_ends = Counter(
            "kubelet_sleep_action_terminated_early_total",
            "The number of times lifecycle sleep handler got terminated before it finishes",
        )
        self.http_fallbacks = Counter(
            "kubelet_lifecycle_handler_http_fallbacks_total",
            "The number of times lifecycle handlers successfully fell back to http from https.",
        )
