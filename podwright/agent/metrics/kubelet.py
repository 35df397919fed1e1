"""The kubelet's metrics that this agent has: names, labels and buckets of Kubernetes 1.36 (pkg/kubelet/metrics)."""

from __future__ import annotations

from podwright.agent.metrics.admission import AdmissionMetrics
from podwright.agent.metrics.calls import CallMetrics
from podwright.agent.metrics.claims import ClaimMetrics
from podwright.agent.metrics.devices import DeviceMetrics
from podwright.agent.metrics.eviction import EvictionMetrics
from podwright.agent.metrics.hooks import HookMetrics
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.metrics.instruments import Counter, Histogram, InstrumentSet
from podwright.agent.metrics.lives import LifeMetrics
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.metrics.pleg import PlegMetrics
from podwright.agent.metrics.pod_resources import PodResourcesMetrics
from podwright.agent.metrics.probes import ProbeMetrics
from podwright.agent.metrics.resizes import ResizeMetrics
from podwright.agent.metrics.runtime import RuntimeMetrics
from podwright.agent.metrics.shutdown import ShutdownMetrics
from podwright.agent.metrics.starts import StartMetrics
from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.metrics.workers import WorkerMetrics


class KubeletMetrics(InstrumentSet):
    """All instruments of one agent, in a set for each subject."""

    def __init__(self) -> None:
        self.admission = AdmissionMetrics()
        self.calls = CallMetrics()
        self.claims = ClaimMetrics()
        self.devices = DeviceMetrics()
        self.eviction = EvictionMetrics()
        self.hooks = HookMetrics()
        self.images = ImageMetrics()
        self.lives = LifeMetrics()
        self.managers = ManagerMetrics()
        self.pleg = PlegMetrics()
        self.pod_resources = PodResourcesMetrics()
        self.probes = ProbeMetrics()
        self.resizes = ResizeMetrics()
        self.runtime = RuntimeMetrics()
        self.shutdown = ShutdownMetrics()
        self.starts = StartMetrics()
        self.volumes = VolumeMetrics()
        self.workers = WorkerMetrics()
        self.cgroup_operations = Histogram(
            "kubelet_cgroup_manager_duration_seconds",
            "Duration in seconds for cgroup manager operations. Broken down by method.",
            ("operation_type",),
        )
        self.pod_watch_events_dropped = Counter(
            "kubelet_pod_watch_events_dropped_total", "Cumulative number of pod watch events dropped."
        )
