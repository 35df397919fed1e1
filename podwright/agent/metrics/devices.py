"""The kubelet's metrics of device plug-ins and of the pod-resources API (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Gauge, Histogram, InstrumentSet, Labels

API_VERSION: Labels = ("server_api_version",)
CLAIM_BUCKETS = tuple(0.1 * 400 ** (power / 14) for power in range(15))
ANY_DRIVER = "<any>"
BY_VERSION = "Broken down by server api version."


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
        self.requests = Counter(
            "kubelet_pod_resources_endpoint_requests_total",
            f"Cumulative number of requests to the PodResource endpoint. {BY_VERSION}",
            API_VERSION,
        )
        self.lists = Counter(
            "kubelet_pod_resources_endpoint_requests_list",
            f"Number of requests to the PodResource List endpoint. {BY_VERSION}",
            API_VERSION,
        )
        self.allocatables = Counter(
            "kubelet_pod_resources_endpoint_requests_get_allocatable",
            f"Number of requests to the PodResource GetAllocatableResources endpoint. {BY_VERSION}",
            API_VERSION,
        )
        self.gets = Counter(
            "kubelet_pod_resources_endpoint_requests_get",
            f"Number of requests to the PodResource Get endpoint. {BY_VERSION}",
            API_VERSION,
        )
        self.get_errors = Counter(
            "kubelet_pod_resources_endpoint_errors_get",
            f"Number of requests to the PodResource Get endpoint which returned error. {BY_VERSION}",
            API_VERSION,
        )

        self.claims_in_use = Gauge(
            "dra_resource_claims_in_use",
            "The number of ResourceClaims that are currently in use on the node, by driver name (driver_name label "
            "value) and across all drivers (special value <any> for driver_name).",
            ("driver_name",),
        )
        self.claims_in_use.set(0, ANY_DRIVER)
        self.claim_operations = Histogram(
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
