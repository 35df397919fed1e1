"""Chooses the pods to end for a critical one. Pure. The rules are the kubelet's (pkg/kubelet/preemption).

It chooses as few guaranteed pods as possible, then as few burstable ones, then as few others. Among equal choices it
prefers pods that request less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from podwright.agent.admission.fit import Shortage
from podwright.agent.pods.identity import is_critical
from podwright.agent.pods.qos import BEST_EFFORT, BURSTABLE, GUARANTEED, qos_class
from podwright.agent.pods.resources import requested
from podwright.errors import ResourceExhausted
from podwright.k8s.objects import Pod

CPU, MEMORY, PODS = "cpu", "memory", "pods"
Needs = Mapping[str, int]  # by resource, in the units of Shortage


def needs_of(short: Iterable[Shortage]) -> dict[str, int]:
    """The amounts that must become free."""
    return {each.resource: each.missing for each in short}


def victims(pod: Pod, others: Sequence[Pod], needs: Needs) -> list[Pod]:
    """The pods to end. Raises ResourceExhausted if all pods that may be ended are not enough."""
    classes: dict[str, list[Pod]] = {BEST_EFFORT: [], BURSTABLE: [], GUARANTEED: []}
    for other in others:
        if may_preempt(pod, other):
            classes[qos_class(other)].append(other)
    best_effort, burstable, guaranteed = (classes[name] for name in (BEST_EFFORT, BURSTABLE, GUARANTEED))
    left = _without(needs, [*best_effort, *burstable, *guaranteed])
    if left:
        raise ResourceExhausted(f"no set of running pods found to reclaim resources: {_text(left)}")
    of_guaranteed = _closest(guaranteed, _without(needs, [*best_effort, *burstable]))
    of_burstable = _closest(burstable, _without(needs, [*best_effort, *of_guaranteed]))
    of_best_effort = _closest(best_effort, _without(needs, [*of_burstable, *of_guaranteed]))
    return [*of_best_effort, *of_burstable, *of_guaranteed]


def may_preempt(pod: Pod, other: Pod) -> bool:
    """Whether `other` may be ended for `pod`."""
    if is_critical(pod) and not is_critical(other):
        return True
    mine, its = pod.spec.priority, other.spec.priority
    return mine is not None and its is not None and mine > its


def _closest(pods: Sequence[Pod], needs: Needs) -> list[Pod]:
    """Choose pods one by one, each time the one that comes closest to what is still needed."""
    left, found = list(pods), list[Pod]()
    while needs:
        if not left:
            raise ResourceExhausted(f"no set of running pods found to reclaim resources: {_text(needs)}")
        best = min(left, key=lambda each: (_distance(each, needs), *(_request(each, name) for name in (MEMORY, CPU))))
        left.remove(best)
        found.append(best)
        needs = _without(needs, [best])
    return found


def _distance(pod: Pod, needs: Needs) -> float:
    """How far the pod is from meeting the needs. Each need has the same weight."""
    open_parts = ((need - _request(pod, name)) / need for name, need in needs.items())
    return sum(part**2 for part in open_parts if part > 0)


def _without(needs: Needs, pods: Iterable[Pod]) -> dict[str, int]:
    """The needs that remain after these pods have ended."""
    ended = list(pods)
    left = {name: need - sum(_request(pod, name) for pod in ended) for name, need in needs.items()}
    return {name: need for name, need in left.items() if need > 0}


def _request(pod: Pod, name: str) -> int:
    if name == PODS:
        return 1
    amount = requested(pod.spec, name)
    return amount.milli if name == CPU else amount.whole


def _text(needs: Needs) -> str:
    return f"[{''.join(f'(res: {name}, q: {need}), ' for name, need in needs.items())}]"
