"""The kubelet's metrics of eviction (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet


class EvictionMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.evictions = Counter(
            "kubelet_evictions",
            "Cumulative number of pod evictions by eviction signal",
            ("eviction_signal",),
        )
        self.stats_ages = Histogram(
            "kubelet_eviction_stats_age_seconds",
            "Time between when stats are collected, and when pod is evicted based on those stats by eviction signal",
            ("eviction_signal",),
        )
