"""What a pod as a whole requests and is limited to. Pure.

The containers' resources together, replaced by the pod's own where it has them, and its RuntimeClass's overhead
(PodRequests and PodLimits of component-helpers' resource package).
"""

from __future__ import annotations

from podwright.k8s.objects import PodSpec
from podwright.k8s.pod_resources import Amounts, aggregate_limits, aggregate_requests, is_pod_level
from podwright.k8s.quantity import Amount, parse


def pod_requests(spec: PodSpec) -> Amounts:
    """The requests of the pod, overhead included."""
    own = spec.resources.requests if spec.resources is not None else {}
    requests = _replaced(aggregate_requests(spec), own)
    for name, text in spec.overhead.items():
        requests[name] = requests.get(name, Amount(0)) + parse(text)
    return requests


def pod_limits(spec: PodSpec) -> Amounts:
    """The limits of the pod. Overhead is added where there is a limit: where there is none, nothing is limited."""
    own = spec.resources.limits if spec.resources is not None else {}
    limits = _replaced(aggregate_limits(spec), own)
    return {name: amount + parse(spec.overhead.get(name, "0")) for name, amount in limits.items()}


def texts(amounts: Amounts) -> dict[str, str]:
    """The amounts as the API writes them."""
    return {name: str(amount) for name, amount in amounts.items()}


def _replaced(amounts: Amounts, own: dict[str, str]) -> Amounts:
    return {**amounts, **{name: parse(text) for name, text in own.items() if is_pod_level(name)}}
