"""Finds resizes that are never possible on this node. Pure.

The rules and messages are those of pkg/kubelet/allocation/handlers.go of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podwright.agent.pods.allocation import ResizeGates, is_same, resizable
from podwright.agent.pods.qos import qos_class
from podwright.k8s.objects import Container, Pod
from podwright.k8s.quantity import parse

STATIC_CPU, STATIC_MEMORY = "static", "Static"
RESTART = "RestartContainer"
SWAP_MESSAGE = "In-place resize of containers with swap is not supported."


class ResizeRules(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings for resizes."""

    gates: ResizeGates = msgspec.field(default_factory=ResizeGates)
    cpu_policy: str = ""  # of the CPU manager
    memory_policy: str = ""  # of the memory manager
    may_swap: Callable[[Pod, Container], bool] = lambda _pod, _container: False


def infeasible(wanted: Pod, allocated: Pod, rules: ResizeRules) -> tuple[str, str] | None:
    """Why the resize is impossible: a label for metrics and a message. None if it is possible."""
    if _recalculates_swap(wanted, allocated, rules):
        return "swap_limitation", SWAP_MESSAGE
    own, given = wanted.spec.resources, allocated.spec.resources
    if not rules.gates.pod_level and not is_same(own, given):
        return "plr_feature_gate_off", "InPlacePodLevelResourcesVerticalScaling is disabled"
    if qos_class(wanted) != "Guaranteed":
        return None
    has_static_cpus = rules.cpu_policy == STATIC_CPU and not rules.gates.exclusive_cpus
    if has_static_cpus and _changes_request(wanted, allocated, "cpu", rules.gates):
        message = f'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "{STATIC_CPU}"'
        return "guaranteed_pod_cpu_manager_static_policy", message
    has_static_memory = rules.memory_policy == STATIC_MEMORY and not rules.gates.exclusive_memory
    if has_static_memory and _changes_request(wanted, allocated, "memory", rules.gates):
        message = f'Resize is infeasible for Guaranteed Pods alongside Memory Manager policy "{STATIC_MEMORY}"'
        return "guaranteed_pod_memory_manager_static_policy", message
    return None


def _changes_request(wanted: Pod, allocated: Pod, resource: str, gates: ResizeGates) -> bool:
    given = {each.name: each for each in resizable(allocated, gates)}
    return any(
        _request(each, resource) != _request(given[each.name], resource)
        for each in resizable(wanted, gates)
        if each.name in given
    )


def _recalculates_swap(wanted: Pod, allocated: Pod, rules: ResizeRules) -> bool:
    """Whether the resize changes a container's share of swap, which follows its memory request and cannot change."""
    given = {each.name: each for each in (*allocated.spec.containers, *allocated.spec.init_containers)}
    for container in (*wanted.spec.containers, *wanted.spec.init_containers):
        before = given.get(container.name)
        if before is None or _request(container, "memory") == _request(before, "memory") or _restarts(before):
            continue
        if rules.may_swap(wanted, container) or rules.may_swap(allocated, before):
            return True
    return False


def _restarts(container: Container) -> bool:
    policy = next((each for each in container.resize_policy if each.resource_name == "memory"), None)
    return policy is not None and policy.restart_policy == RESTART


def _request(container: Container, resource: str) -> int:
    return parse(container.resources.requests.get(resource, "0")).nano
