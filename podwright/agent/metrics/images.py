"""The kubelet's metrics of images (pkg/kubelet/images and pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from bisect import bisect_left

from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet

PULL_BUCKETS = (
    *(1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 480.0, 600.0, 900.0),
    *(1200.0, 1800.0, 2700.0, 3600.0),
)
_MB, _GB = 1 << 20, 1 << 30
_SIZES = (10 * _MB, 100 * _MB, 500 * _MB, _GB, 5 * _GB, 10 * _GB, 20 * _GB, 30 * _GB, 40 * _GB, 60 * _GB, 100 * _GB)
_SIZE_NAMES = (
    *("0-10MB", "10MB-100MB", "100MB-500MB", "500MB-1GB", "1GB-5GB", "5GB-10GB", "10GB-20GB"),
    *("20GB-30GB", "30GB-40GB", "40GB-60GB", "60GB-100GB", "GT100GB"),
)


class ImageMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.requests = Counter(
            "kubelet_image_manager_ensure_image_requests_total",
            "Number of ensure-image requests processed by the kubelet.",
            ("pull_policy", "present_locally", "pull_required"),
        )
        self.pulls = Histogram(
            "kubelet_image_pull_duration_seconds",
            "Duration in seconds to pull an image.",
            ("image_size_in_bytes",),
            buckets=PULL_BUCKETS,
        )
        self.volumes = Counter("kubelet_image_volume_requested_total", "Number of requested image volumes.")
        self.mounted_volumes = Counter(
            "kubelet_image_volume_mounted_succeed_total", "Number of successful image volume mounts."
        )
        self.failed_volumes = Counter(
            "kubelet_image_volume_mounted_errors_total", "Number of failed image volume mounts."
        )
        self.must_pull_checks = Counter(
            "kubelet_imagemanager_image_mustpull_checks_total",
            "Counter for how many times kubelet checked whether credentials need to be re-verified to access an image",
            ("result",),
        )

    def pulled(self, size_bytes: int, seconds: float) -> None:
        """Count a pull."""
        size = _SIZE_NAMES[bisect_left(_SIZES, size_bytes)] if size_bytes else "N/A"
        self.pulls.observe(seconds, size)
