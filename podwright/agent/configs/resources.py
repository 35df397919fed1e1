"""Converts requests and limits to CRI's LinuxContainerResources, by the kubelet's arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.configs.cpu import cpu_quota_us, cpu_shares
from podwright.agent.configs.huge_pages import page_size
from podwright.agent.configs.memory_qos import memory_files
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.oom import oom_score_adj
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.identity import is_critical
from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.resources import ZERO, pod_level_limits, pod_limits, pod_requests
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod
from podwright.k8s.pod_resources import Amounts, is_huge_pages
from podwright.k8s.quantity import Amount, parse

LIMITED_SWAP = "LimitedSwap"


def container_resources(
    pod: Pod,
    container: AnyContainer,
    facts: NodeFacts,
    settings: NodeSettings,
    *,
    has_own_cpus: bool = False,
) -> api.LinuxContainerResources:
    """The resources of one container. Missing limits are the pod's. `has_own_cpus` removes the CPU quota."""
    requests, limits = container.resources.requests, container.resources.limits
    fallback = pod_level_limits(pod.spec)
    resources = _compute(
        parse(requests["cpu"]) if "cpu" in requests else None,
        _limit(limits, fallback, "cpu"),
        _limit(limits, fallback, "memory"),
        facts,
        settings,
    )
    if has_own_cpus and settings.cpu_period_us is not None:
        resources.cpu_quota = -1
    resources.oom_score_adj = oom_score_adj(pod, container, facts.memory_bytes)
    resources.hugepage_limits.extend(_huge_pages(fallback, limits, facts))
    if facts.has_swap_control:
        _limit_swap(resources, pod, container, facts, settings)
    if settings.memory_qos is not None and facts.is_cgroup_v2:
        allocatable = parse(facts.allocatable.get("memory", "0")).whole
        resources.unified.update(memory_files(pod, container, settings.memory_qos, allocatable))
    return resources


def sandbox_resources(
    pod: Pod, facts: NodeFacts, settings: NodeSettings, *, lifts_quota: bool = False
) -> api.LinuxContainerResources:
    """The resources of all containers together, without the pod's overhead. `lifts_quota`: there is no CPU quota."""
    requests, limits = pod_requests(pod.spec, overhead=False), pod_limits(pod.spec, overhead=False)
    cpu, memory = limits.get("cpu", ZERO), limits.get("memory", ZERO)
    resources = _compute(requests.get("cpu"), cpu, memory, facts, settings)
    if lifts_quota and settings.cpu_period_us is not None:
        resources.cpu_quota = -1
    return resources


def sandbox_overhead(pod: Pod, facts: NodeFacts, settings: NodeSettings) -> api.LinuxContainerResources:
    """The overhead of the sandbox itself. Request and limit are the same."""
    if not pod.spec.overhead:
        return api.LinuxContainerResources()
    cpu, memory = (parse(pod.spec.overhead.get(name, "0")) for name in ("cpu", "memory"))
    return _compute(cpu, cpu, memory, facts, settings)


def _limit(limits: Mapping[str, str], fallback: Amounts, name: str) -> Amount:
    own = parse(limits.get(name, "0"))
    return own if own.nano else fallback.get(name, ZERO)


def _compute(
    cpu_request: Amount | None, cpu_limit: Amount, memory_limit: Amount, facts: NodeFacts, settings: NodeSettings
) -> api.LinuxContainerResources:
    shares_of = cpu_limit if cpu_request is None else cpu_request
    resources = api.LinuxContainerResources(
        cpu_shares=cpu_shares(shares_of.milli), memory_limit_in_bytes=memory_limit.whole
    )
    if settings.cpu_period_us is not None:
        resources.cpu_period = settings.cpu_period_us
        resources.cpu_quota = cpu_quota_us(cpu_limit.milli, settings.cpu_period_us)
    if facts.is_cgroup_v2 and settings.kill_whole_container:
        resources.unified["memory.oom.group"] = "1"
    return resources


def _huge_pages(fallback: Amounts, limits: Mapping[str, str], facts: NodeFacts) -> list[api.HugepageLimit]:
    """A limit for every page size of the machine: 0 unless the container or its pod has one."""
    amounts = {**fallback, **{name: parse(text) for name, text in limits.items()}}
    wanted = {page_size(name): amount.whole for name, amount in amounts.items() if is_huge_pages(name)}
    return [api.HugepageLimit(page_size=size, limit=wanted.get(size, 0)) for size in facts.huge_page_sizes]


def _limit_swap(
    resources: api.LinuxContainerResources,
    pod: Pod,
    container: AnyContainer,
    facts: NodeFacts,
    settings: NodeSettings,
) -> None:
    if not facts.is_cgroup_v2:
        resources.memory_swap_limit_in_bytes = resources.memory_limit_in_bytes  # memory and swap together
        return
    share = 0
    if may_swap(pod, container, facts, settings):
        request = parse(container.resources.requests.get("memory", "0")).whole
        if 0 <= request <= facts.memory_bytes:
            share = request * facts.swap_bytes // facts.memory_bytes
    resources.unified["memory.swap.max"] = str(share)


def may_swap(pod: Pod, container: AnyContainer, facts: NodeFacts, settings: NodeSettings) -> bool:
    """Whether the container may use swap.

    It may if it is burstable, its memory limit is not its request, and its pod is not critical.
    """
    if settings.swap_behavior != LIMITED_SWAP or not facts.has_swap_control or not facts.is_cgroup_v2:
        return False
    request = parse(container.resources.requests.get("memory", "0"))
    limit = parse(container.resources.limits.get("memory", "0"))
    return not is_critical(pod) and qos_class(pod) == "Burstable" and request != limit
