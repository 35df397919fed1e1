"""The limits of the cgroups of pods, classes, and all pods together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.configs.cpu import PERIOD_US, SHARES_MIN, cpu_quota_us, cpu_shares
from podwright.agent.configs.huge_pages import page_size
from podwright.agent.configs.memory_qos import MemoryQos
from podwright.agent.pods.qos import QosClass, qos_class
from podwright.agent.pods.resources import ZERO, pod_level_limits, pod_limits, pod_requests
from podwright.k8s.objects import Pod
from podwright.k8s.pod_resources import Amounts, is_huge_pages
from podwright.k8s.quantity import parse

UNBOUNDED = 1 << 62
PIDS = "pid"  # the kubelet's name of this resource


class CgroupLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a cgroup. None leaves a value as it is.

    `cpu_quota_us` of 0 or -1 is no limit. `huge_pages` are bytes by size (2MB). `cpus` is a list such as 0-3.
    `memory_min_bytes` is memory that the kernel never reclaims, `memory_low_bytes` what it reclaims last (cgroup v2).
    """

    memory_bytes: int | None = None
    memory_min_bytes: int | None = None
    memory_low_bytes: int | None = None
    cpu_shares: int | None = None
    cpu_quota_us: int | None = None
    cpu_period_us: int | None = None
    pids: int | None = None
    huge_pages: Mapping[str, int] | None = None
    cpus: str | None = None


class LimitRules(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings for limits. `max_pids` of 0 or less means no limit for a pod."""

    enforces_cpu: bool = True
    cpu_period_us: int = PERIOD_US
    max_pids: int = -1
    huge_page_sizes: tuple[str, ...] = ()
    memory_qos: MemoryQos | None = None  # None: the gate is off


def limits_of_pod(pod: Pod, rules: LimitRules, *, lifts_quota: bool = False) -> CgroupLimits:
    """The limits by QoS class: all for guaranteed pods, those that every container has for burstable pods, else none.

    `lifts_quota` is for pods with exclusive CPUs, which a quota would only throttle.
    """
    qos, requests, limits = qos_class(pod), pod_requests(pod.spec), pod_limits(pod.spec)
    quota = (
        cpu_quota_us(limits.get("cpu", ZERO).milli, rules.cpu_period_us)
        if rules.enforces_cpu and not lifts_quota
        else -1
    )
    limits_cpu = qos == "Guaranteed" or (qos == "Burstable" and _is_limited(pod, "cpu"))
    limits_memory = qos == "Guaranteed" or (qos == "Burstable" and _is_limited(pod, "memory"))
    kept = requests.get("memory", ZERO).whole if rules.memory_qos is not None and rules.memory_qos.is_tiered else 0
    return CgroupLimits(
        memory_min_bytes=kept if kept and qos == "Guaranteed" else None,
        memory_low_bytes=kept if kept and qos != "Guaranteed" else None,
        cpu_shares=SHARES_MIN if qos == "BestEffort" else cpu_shares(requests.get("cpu", ZERO).milli),
        cpu_quota_us=quota if limits_cpu else None,
        cpu_period_us=rules.cpu_period_us if limits_cpu else None,
        memory_bytes=limits.get("memory", ZERO).whole if limits_memory else None,
        pids=rules.max_pids if rules.max_pids > 0 else None,
        huge_pages=_huge_pages(requests, rules),
    )


def limits_of_root(capacity: Amounts, reserved: Iterable[Amounts], rules: LimitRules, cpus: str = "") -> CgroupLimits:
    """The limits of all pods together: the machine's capacity without what is `reserved`."""
    rest = dict(capacity)
    for part in reserved:
        rest = {name: max(amount - part.get(name, ZERO), ZERO) for name, amount in rest.items()}
    return CgroupLimits(
        memory_bytes=rest["memory"].whole if "memory" in rest else None,
        cpu_shares=cpu_shares(rest["cpu"].milli) if "cpu" in rest else None,
        pids=rest[PIDS].whole if PIDS in rest else None,
        huge_pages=_huge_pages(rest, rules),
        cpus=cpus or None,
    )


def limits_of_classes(pods: Iterable[Pod], rules: LimitRules) -> dict[QosClass, CgroupLimits]:
    """The limits of the classes. Burstable gets the weight of its pods' requests, best-effort the smallest weight."""
    requests = [(qos_class(pod), pod_requests(pod.spec)) for pod in pods]
    requested = sum(each.get("cpu", ZERO).milli for qos, each in requests if qos == "Burstable")
    huge_pages = dict.fromkeys(rules.huge_page_sizes, UNBOUNDED)
    found: dict[QosClass, CgroupLimits] = {
        "Burstable": CgroupLimits(cpu_shares=cpu_shares(requested), huge_pages=huge_pages),
        "BestEffort": CgroupLimits(cpu_shares=SHARES_MIN, huge_pages=huge_pages),
    }
    if rules.memory_qos is not None:  # protection of a cgroup counts only as far as its parents have it
        low, all_requested = (
            sum(each.get("memory", ZERO).whole for qos, each in requests if qos in classes)
            if rules.memory_qos.is_tiered
            else 0
            for classes in (("Burstable",), ("Burstable", "Guaranteed"))
        )
        found["Burstable"] = replace(found["Burstable"], memory_low_bytes=low)
        found["Guaranteed"] = CgroupLimits(memory_min_bytes=all_requested)
    return found


def _is_limited(pod: Pod, name: str) -> bool:
    """Whether the pod itself, or each of its containers, has a limit."""
    if pod_level_limits(pod.spec).get(name, ZERO).nano:
        return True
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    return all(parse(container.resources.limits.get(name, "0")).nano for container in containers)


def _huge_pages(amounts: Amounts, rules: LimitRules) -> dict[str, int]:
    """Bytes by page size. 0 for sizes of the machine that are not named."""
    named = {page_size(name): amount.whole for name, amount in amounts.items() if is_huge_pages(name)}
    return {**dict.fromkeys(rules.huge_page_sizes, 0), **named}
