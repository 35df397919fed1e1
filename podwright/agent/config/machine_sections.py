"""The parts of AgentConfig that divide the machine's resources, and say what happens when they run out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.agent.config.structure import mapping, nano_mapping, nano_quantities, plain, seconds, source, texts
from podwright.agent.config.thresholds import Threshold, thresholds


class MemoryReservation(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of a NUMA node that is reserved, in billionths of a byte by resource."""

    numa_node: int
    limits_nano: Mapping[str, int]


def _reservations(entries: tuple[dict[str, Any], ...] | None) -> tuple[MemoryReservation, ...]:
    return tuple(
        MemoryReservation(numa_node=entry.get("numaNode", 0), limits_nano=nano_quantities(entry.get("limits")))
        for entry in entries or ()
    )


class CgroupSection(msgspec.Struct, frozen=True, kw_only=True):
    """The tree of cgroups, and which limits are enforced in it."""

    driver: str = plain("cgroupDriver")
    root: str = plain("cgroupRoot")
    per_qos: bool = plain("cgroupsPerQOS")
    kubelet: str = plain("kubeletCgroups")
    system: str = plain("systemCgroups")
    cpu_cfs_quota: bool = plain("cpuCFSQuota")
    cpu_cfs_quota_period_s: float = seconds("cpuCFSQuotaPeriod")
    single_process_oom_kill: bool | None = plain("singleProcessOOMKill")
    memory_throttling_factor: float = plain("memoryThrottlingFactor")
    memory_reservation_policy: str = plain("memoryReservationPolicy")
    swap_behavior: str = plain("memorySwap.swapBehavior")
    fail_swap_on: bool = plain("failSwapOn")


class ReservedSection(msgspec.Struct, frozen=True, kw_only=True):
    """What is reserved. Quantities in billionths of their unit."""

    system_nano: Mapping[str, int] = nano_mapping("systemReserved")
    kube_nano: Mapping[str, int] = nano_mapping("kubeReserved")
    system_cgroup: str = plain("systemReservedCgroup")
    kube_cgroup: str = plain("kubeReservedCgroup")
    cpus: str = plain("reservedSystemCPUs")
    memory: tuple[MemoryReservation, ...] = source("reservedMemory", convert=_reservations)
    enforced: tuple[str, ...] = texts("enforceNodeAllocatable")


class ManagerSection(msgspec.Struct, frozen=True, kw_only=True):
    """The CPU, memory and topology managers."""

    cpu_policy: str = plain("cpuManagerPolicy")
    cpu_policy_options: Mapping[str, str] = mapping("cpuManagerPolicyOptions")
    cpu_reconcile_period_s: float = seconds("cpuManagerReconcilePeriod")
    memory_policy: str = plain("memoryManagerPolicy")
    topology_policy: str = plain("topologyManagerPolicy")
    topology_scope: str = plain("topologyManagerScope")
    topology_policy_options: Mapping[str, str] = mapping("topologyManagerPolicyOptions")


class EvictionSection(msgspec.Struct, frozen=True, kw_only=True):
    """When pods are evicted."""

    thresholds: tuple[Threshold, ...] = source(
        "evictionHard",
        "evictionSoft",
        "evictionSoftGracePeriod",
        "evictionMinimumReclaim",
        convert=thresholds,
    )
    pressure_transition_period_s: float = seconds("evictionPressureTransitionPeriod")
    max_pod_grace_period_s: int = plain("evictionMaxPodGracePeriod")
    kernel_memcg_notification: bool = plain("kernelMemcgNotification")
    local_storage_isolation: bool = plain("localStorageCapacityIsolation")


class PriorityGrace(msgspec.Struct, frozen=True, kw_only=True):
    """The grace of pods with this priority and above when the node shuts down."""

    priority: int
    grace_s: int


def _graces(entries: tuple[dict[str, Any], ...] | None) -> tuple[PriorityGrace, ...]:
    return tuple(
        PriorityGrace(priority=entry.get("priority", 0), grace_s=entry.get("shutdownGracePeriodSeconds", 0))
        for entry in entries or ()
    )


class ShutdownSection(msgspec.Struct, frozen=True, kw_only=True):
    """The graces of pods when the node shuts down."""

    grace_s: float = seconds("shutdownGracePeriod")
    critical_grace_s: float = seconds("shutdownGracePeriodCriticalPods")
    grace_by_priority: tuple[PriorityGrace, ...] = source("shutdownGracePeriodByPodPriority", convert=_graces)
