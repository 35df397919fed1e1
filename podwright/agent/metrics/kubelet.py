"""The kubelet's metrics that this agent has: names, labels and buckets of Kubernetes 1.36 (pkg/kubelet/metrics)."""

from __future__ import annotations

from podwright.agent.metrics.calls import CallMetrics
from podwright.agent.metrics.devices import DeviceMetrics
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.metrics.instruments import LATENCY_BUCKETS, Counter, Gauge, Histogram, InstrumentSet, Labels
from podwright.agent.metrics.lives import LifeMetrics
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.metrics.volumes import VolumeMetrics

OPERATION_BUCKETS = tuple(0.005 * 2.5**power for power in range(14))
RESIZE_BUCKETS_MS = (
    *(10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0),
    *(10e3, 20e3, 30e3, 60e3, 120e3, 300e3, 600e3),
)


PROBED: Labels = ("probe_type", "container", "pod", "namespace")


class KubeletMetrics(InstrumentSet):
    """All instruments of one agent."""

    def __init__(self) -> None:
        self.probes = Counter(
            "prober_probe_total",
            "Cumulative number of a liveness, readiness or startup probe for a container by result.",
            ("probe_type", "result", "container", "pod", "namespace", "pod_uid"),
        )
        self.probe_durations = Histogram(
            "prober_probe_duration_seconds",
            "Duration in seconds for a probe response.",
            PROBED,
        )
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
        self.passes = Histogram(
            "kubelet_pod_worker_duration_seconds",
            "Duration in seconds to sync a single pod. Broken down by operation type: create, update, or sync",
            ("operation_type",),
        )
        self.worker_starts = Histogram(
            "kubelet_pod_worker_start_duration_seconds",
            "Duration in seconds from kubelet seeing a pod to starting a worker.",
        )
        self.relists = Histogram(
            "kubelet_pleg_relist_duration_seconds",
            "Duration in seconds for relisting pods in PLEG.",
        )
        self.relist_intervals = Histogram(
            "kubelet_pleg_relist_interval_seconds",
            "Interval in seconds between relisting in PLEG.",
        )
        self.discarded_events = Counter(
            "kubelet_pleg_discard_events",
            "The number of discard events in PLEG.",
        )
        self.event_latencies = Histogram(
            "kubelet_evented_pleg_connection_latency_seconds",
            "The latency of streaming connection with the CRI runtime, measured in seconds.",
            buckets=LATENCY_BUCKETS,
        )
        self.event_streams = Counter(
            "kubelet_evented_pleg_connection_success_count",
            "The number of times a streaming client was obtained to receive CRI Events.",
        )
        self.event_stream_errors = Counter(
            "kubelet_evented_pleg_connection_error_count",
            "The number of errors encountered during the establishment of streaming connection with the CRI runtime.",
        )
        self.started_pods = Counter(
            "kubelet_started_pods_total",
            "Cumulative number of pods started",
        )
        self.started_pod_errors = Counter(
            "kubelet_started_pods_errors_total",
            "Cumulative number of errors when starting pods",
        )
        self.started_user_pods = Counter(
            "kubelet_started_user_namespaced_pods_total",
            "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux.",
        )
        self.started_user_pod_errors = Counter(
            "kubelet_started_user_namespaced_pods_errors_total",
            "Cumulative number of errors when starting pods with user namespaces. This metric will only be collected "
            "on Linux.",
        )
        self.started_containers = Counter(
            "kubelet_started_containers_total",
            "Cumulative number of containers started",
            ("container_type",),
        )
        self.started_container_errors = Counter(
            "kubelet_started_containers_errors_total",
            "Cumulative number of errors when starting containers",
            ("container_type", "code"),
        )
        self.refusals = Counter(
            "kubelet_admission_rejections_total",
            "Cumulative number pod admission rejections by the Kubelet.",
            ("reason",),
        )
        self.lives = LifeMetrics()
        self.images = ImageMetrics()
        self.calls = CallMetrics()
        self.devices = DeviceMetrics()
        self.managers = ManagerMetrics()
        self.cgroup_operations = Histogram(
            "kubelet_cgroup_manager_duration_seconds",
            "Duration in seconds for cgroup manager operations. Broken down by method.",
            ("operation_type",),
        )
        self.volumes = VolumeMetrics()
        self.early_sleep_ends = Counter(
            "kubelet_sleep_action_terminated_early_total",
            "The number of times lifecycle sleep handler got terminated before it finishes",
        )
        self.requested_resizes = Counter(
            "kubelet_container_requested_resizes_total",
            "Number of requested resizes, counted at the container level.",
            ("resource", "requirement", "operation"),
        )
        self.infeasible_resizes = Counter(
            "kubelet_pod_infeasible_resizes_total",
            "Number of infeasible resizes for pods.",
            ("reason_detail",),
        )
        self.accepted_resizes = Counter(
            "kubelet_pod_deferred_accepted_resizes_total",
            "Cumulative number of resizes that were accepted after being deferred.",
            ("retry_trigger",),
        )
        self.resizes = Histogram(
            "kubelet_pod_resize_duration_milliseconds",
            "Duration in milliseconds to actuate a pod resize",
            ("success",),
            buckets=RESIZE_BUCKETS_MS,
        )
        self.evictions = Counter(
            "kubelet_evictions",
            "Cumulative number of pod evictions by eviction signal",
            ("eviction_signal",),
        )
        self.eviction_stats_ages = Histogram(
            "kubelet_eviction_stats_age_seconds",
            "Time between when stats are collected, and when pod is evicted based on those stats by eviction signal",
            ("eviction_signal",),
        )
        self.preemptions = Counter(
            "kubelet_preemptions",
            "Cumulative number of pod preemptions by preemption resource",
            ("preemption_signal",),
        )
        self.losing_support = Gauge(
            "kubelet_cri_losing_support",
            "the Kubernetes version that the currently running CRI implementation will lose support on "
            "if not upgraded.",
            ("version",),
        )
        self.shutdown_start = Gauge(
            "kubelet_graceful_shutdown_start_time_seconds",
            "Last graceful shutdown start time since unix epoch in seconds",
        )
        self.shutdown_end = Gauge(
            "kubelet_graceful_shutdown_end_time_seconds",
            "Last graceful shutdown end time since unix epoch in seconds",
        )
        self.must_pull_checks = Counter(
            "kubelet_imagemanager_image_mustpull_checks_total",
            "Counter for how many times kubelet checked whether credentials need to be re-verified to access an image",
            ("result",),
        )
        self.http_fallbacks = Counter(
            "kubelet_lifecycle_handler_http_fallbacks_total",
            "The number of times lifecycle handlers successfully fell back to http from https.",
        )

    def forget_probes(self, uid: str, name: str, namespace: str) -> None:
        """The pod is probed no more. Pods come and go, and what is kept of each must not pile up."""
        self.probes.forget(lambda labels: labels["pod_uid"] == uid)
        self.probe_durations.forget(lambda labels: (labels["pod"], labels["namespace"]) == (name, namespace))
