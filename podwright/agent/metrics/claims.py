"""The kubelet's metrics of resource claims and DRA drivers (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Gauge, Histogram, InstrumentSet

CLAIM_BUCKETS = tuple(0.1 * 400 ** (power / 14) for power in range(15))
ANY_DRIVER = "<any>"


class ClaimMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
        self.in_use = Gauge(
            "dra_resource_claims_in_use",
            "The number of ResourceClaims that are currently in use on the node, by driver name (driver_name label "
            "value) and across all drivers (special value <any> for driver_name).",
            ("driver_name",),
        )
        self.in_use.set(0, ANY_DRIVER)
        self.operations = Histogram(
            "dra_operations_duration_seconds",
            "Latency histogram in seconds for the duration of handling all ResourceClaims referenced by a pod when "
            "the pod starts or stops.",
            ("operation_name", "is_error"),
            buckets=CLAIM_BUCKETS,
        )
        self.driver_calls = Histogram(
            "dra_grpc_operations_duration_seconds",
            "Duration in seconds of the DRA gRPC operations",
            ("driver_name", "method_name", "grpc_status_code"),
            buckets=CLAIM_BUCKETS,
        )
