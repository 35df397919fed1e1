"""The kubelet's metrics of operations on volumes (pkg/volume/util/metrics.go of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Histogram, InstrumentSet

STORAGE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 25.0, 50.0, 120.0, 300.0, 600.0)
MOUNT, UNMOUNT, UNMOUNT_DEVICE = "volume_mount", "volume_unmount", "unmount_device"
MAP, UNMAP, UNMAP_DEVICE = "map_volume", "unmap_volume", "unmap_device"  # of block volumes
WHOLE_MOUNT = "overall_volume_mount"


class VolumeMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.operations = Histogram(
            "storage_operation_duration_seconds",
            "Storage operation duration",
            ("volume_plugin", "operation_name", "status", "migrated"),
            buckets=STORAGE_BUCKETS,
        )
        self.whole_operations = Histogram(
            "volume_operation_total_seconds",
            "Storage operation end to end duration in seconds",
            ("plugin_name", "operation_name"),
            buckets=STORAGE_BUCKETS,
        )
        self.driver_calls = Histogram(
            "csi_operations_seconds",
            "Container Storage Interface operation duration with gRPC error code status total",
            ("driver_name", "method_name", "grpc_status_code", "migrated"),
            buckets=STORAGE_BUCKETS,
        )
