"""The kubelet's metrics of the pod-resources API (pkg/kubelet/metrics of Kubernetes 1.36)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, InstrumentSet, Labels

API_VERSION: Labels = ("server_api_version",)
BY_VERSION = "Broken down by server api version."


class PodResourcesMetrics(InstrumentSet):
    """The instruments."""

    def __init__(self) -> None:
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
