"""The kubelet's metrics of what containers are allotted: names and labels of Kubernetes 1.36 (pkg/kubelet/metrics)."""

from __future__ import annotations

from podwright.agent.metrics.instruments import Counter, Gauge, Histogram, InstrumentSet

CONTAINER_SCOPE, POD_SCOPE = "container", "pod"
CORE, ONE_NODE, SHARED_CACHE = "physical_cpu", "numa_node", "uncore_cache"  # the scopes of alignment
CPU, MEMORY = "cpu", "memory"
NODE, POD = "node", "pod"  # the sources of allotments
NODE_EXCLUSIVE, POD_EXCLUSIVE, POD_SHARED = "node_exclusive", "pod_exclusive", "pod_shared"  # the kinds of allotments
MILLISECOND_BUCKETS = tuple(0.05 * 2**power for power in range(15))


class CpuMetrics(InstrumentSet):
    """The instruments of the CPU manager."""

    def __init__(self) -> None:
        self.requests = Counter(
            "kubelet_cpu_manager_pinning_requests_total",
            "The number of cpu core allocations which required pinning.",
        )
        self.errors = Counter(
            "kubelet_cpu_manager_pinning_errors_total",
            "The number of cpu core allocations which required pinning failed.",
        )
        self.shared_millicores = Gauge(
            "kubelet_cpu_manager_shared_pool_size_millicores",
            "The size of the shared CPU pool for non-guaranteed QoS pods, in millicores.",
        )
        self.own_cpus = Gauge(
            "kubelet_cpu_manager_exclusive_cpu_allocation_count",
            "The total number of CPUs exclusively allocated to containers running on this node",
        )
        self.own_cpus_by_node = Gauge(
            "kubelet_cpu_manager_allocation_per_numa",
            "Number of CPUs allocated per NUMA node",
            ("numa_node",),
        )


class MemoryMetrics(InstrumentSet):
    """The instruments of the memory manager."""

    def __init__(self) -> None:
        self.requests = Counter(
            "kubelet_memory_manager_pinning_requests_total",
            "The number of memory pages allocations which required pinning.",
        )
        self.errors = Counter(
            "kubelet_memory_manager_pinning_errors_total",
            "The number of memory pages allocations which required pinning that failed.",
        )


class TopologyMetrics(InstrumentSet):
    """The instruments of the topology manager."""

    def __init__(self) -> None:
        self.admissions = Counter(
            "kubelet_topology_manager_admission_requests_total",
            "The number of admission requests where resources have to be aligned.",
        )
        self.admission_errors = Counter(
            "kubelet_topology_manager_admission_errors_total",
            "The number of admission request failures where resources could not be aligned.",
        )
        self.admission_durations = Histogram(
            "kubelet_topology_manager_admission_duration_ms",
            "Duration in milliseconds to serve a pod admission request.",
            buckets=MILLISECOND_BUCKETS,
        )


class AlignmentMetrics(InstrumentSet):
    """The instruments for the alignment of allotments, for all managers."""

    def __init__(self) -> None:
        self.aligned = Counter(
            "kubelet_container_aligned_compute_resources_count",
            "Cumulative number of aligned compute resources allocated to containers by alignment type.",
            ("scope", "boundary"),
        )
        self.unaligned = Counter(
            "kubelet_container_aligned_compute_resources_failure_count",
            "Cumulative number of failures to allocate aligned compute resources to containers by alignment type.",
            ("scope", "boundary"),
        )

        for family in (self.aligned, self.unaligned):  # they exist before anything was counted
            for scope, boundary in (
                (CONTAINER_SCOPE, ONE_NODE),
                (POD_SCOPE, ONE_NODE),
                (CONTAINER_SCOPE, CORE),
            ):
                family.add(scope, boundary, by=0)
        self.aligned.add(CONTAINER_SCOPE, SHARED_CACHE, by=0)


class AllotmentMetrics(InstrumentSet):
    """The instruments for exclusive CPUs and memory of containers and pods."""

    def __init__(self) -> None:
        self.allocations = Counter(
            "resource_manager_allocations_total",
            "Number of exclusive resource allocations performed by a resource manager.",
            ("resource_name", "source"),
        )
        self.errors = Counter(
            "resource_manager_allocation_errors_total",
            "Number of errors encountered during exclusive resource allocation.",
            ("resource_name", "source"),
        )
        self.holders = Counter(
            "resource_manager_container_assignments",
            "Number of containers with a specific type of resource assignment.",
            ("resource_name", "assignment_type"),
        )

    def allotted(self, resource: str, *, times: int = 1) -> None:
        """Count a container's exclusive allotment of the node: CPUs, or memory of `times` kinds."""
        self.allocations.add(resource, NODE, by=times)
        self.holders.add(resource, NODE_EXCLUSIVE)

    def allotted_to_pod(self, resource: str, *, alone: int, sharing: int) -> None:
        """Count the containers that have parts of their pod's pod-level resources."""
        self.allocations.add(resource, POD, by=alone + sharing)
        self.holders.add(resource, POD_EXCLUSIVE, by=alone)
        self.holders.add(resource, POD_SHARED, by=sharing)

    def not_allotted(self, resource: str, source: str = NODE) -> None:
        """Count an allotment that failed."""
        self.errors.add(resource, source)


class ManagerMetrics(InstrumentSet):
    """The sets of the CPU, memory and topology managers."""

    def __init__(self) -> None:
        self.cpus = CpuMetrics()
        self.memory = MemoryMetrics()
        self.topology = TopologyMetrics()
        self.alignment = AlignmentMetrics()
        self.allotments = AllotmentMetrics()
