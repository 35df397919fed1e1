"""What the containers of a pod ask for together (component-helpers' resource package). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podwright.k8s.objects.container import Container
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.quantity import Amount, parse_all

Amounts = dict[str, Amount]


def aggregate_requests(spec: PodSpec) -> Amounts:
    """Regular containers and sidecars together, or what an init container needs beside the sidecars before it."""
    return _aggregate(spec, lambda container: container.resources.requests)


def aggregate_limits(spec: PodSpec) -> Amounts:
    """The same for limits. A container without a limit adds nothing."""
    return _aggregate(spec, lambda container: container.resources.limits)


def is_huge_pages(name: str) -> bool:
    """Whether a resource is huge pages of some size."""
    return name.startswith("hugepages-")


def is_overcommit_allowed(name: str) -> bool:
    """Whether a request may be less than the limit: native resources other than huge pages."""
    return ("/" not in name or "kubernetes.io/" in name) and not is_huge_pages(name)


def is_pod_level(name: str) -> bool:
    """Whether a pod as a whole can have requests and limits of it."""
    return name in ("cpu", "memory") or is_huge_pages(name)


def _aggregate(spec: PodSpec, pick: Callable[[Container], Mapping[str, str]]) -> Amounts:
    running: Amounts = {}
    for container in spec.containers:
        running = _sum(running, parse_all(pick(container)))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.init_containers:
        own = parse_all(pick(container))
        if container.restart_policy == "Always":
            running, sidecars = _sum(running, own), _sum(sidecars, own)
            starting = _largest(starting, sidecars)
        else:
            starting = _largest(starting, _sum(own, sidecars))
    return _largest(running, starting)


def _sum(left: Amounts, right: Amounts) -> Amounts:
    return {name: left.get(name, Amount(0)) + right.get(name, Amount(0)) for name in {**left, **right}}


def _largest(left: Amounts, right: Amounts) -> Amounts:
    return {**right, **{name: max(amount, right.get(name, amount)) for name, amount in left.items()}}
