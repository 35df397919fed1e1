"""The requests and limits of a pod as a whole. Pure.

They are the sums of the containers' resources, replaced by pod-level ones if there are any, plus the RuntimeClass's
overhead (PodRequests and PodLimits of component-helpers' resource package).
"""

from __future__ import annotations

from collections.abc import Mapping

from podwright.k8s.objects import PodSpec
from podwright.k8s.pod_resources import Amounts, aggregate_limits, aggregate_requests, is_pod_level
from podwright.k8s.quantity import Amount, parse_all

ZERO = Amount(0)


def pod_requests(spec: PodSpec, *, overhead: bool = True) -> Amounts:
    """The requests of the pod."""
    requests = {**aggregate_requests(spec), **pod_level_requests(spec)}
    return _sum(requests, parse_all(spec.overhead)) if overhead else requests


def pod_limits(spec: PodSpec, *, overhead: bool = True) -> Amounts:
    """The limits of the pod. Overhead is added only to existing limits."""
    limits = {**aggregate_limits(spec), **pod_level_limits(spec)}
    extra = {name: amount for name, amount in parse_all(spec.overhead).items() if limits.get(name, ZERO).nano}
    return _sum(limits, extra) if overhead else limits


def requested(spec: PodSpec, name: str) -> Amount:
    """The pod's request of one resource. Overhead alone is no request (GetResourceRequestQuantity)."""
    own = pod_requests(spec, overhead=False).get(name, ZERO)
    return own + parse_all(spec.overhead).get(name, ZERO) if own.nano else own


def pod_level_requests(spec: PodSpec) -> Amounts:
    """The requests in `spec.resources`."""
    return _pod_level(spec.resources.requests) if spec.resources is not None else {}


def pod_level_limits(spec: PodSpec) -> Amounts:
    """The limits in `spec.resources`."""
    return _pod_level(spec.resources.limits) if spec.resources is not None else {}


def texts(amounts: Amounts) -> dict[str, str]:
    """The amounts as the API writes them."""
    return {name: str(amount) for name, amount in amounts.items()}


def _pod_level(quantities: Mapping[str, str]) -> Amounts:
    return {name: amount for name, amount in parse_all(quantities).items() if is_pod_level(name)}


def _sum(left: Amounts, right: Amounts) -> Amounts:
    return {name: left.get(name, ZERO) + right.get(name, ZERO) for name in {**left, **right}}
