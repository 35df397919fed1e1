"""The kubelet's metrics of device plug-ins (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet


class DeviceMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.registrations = Counter(
            "kubelet_device_plugin_registration_total",
            "Cumulative number of device plugin registrations. Broken down by resource name.",
            ("resource_name",),
        )
        self.allocations = Histogram(
            "kubelet_device_plugin_alloc_duration_seconds",
            "Duration in seconds to serve a device plugin Allocation request. Broken down by resource name.",
            ("resource_name",),
        )
