"""Whether a node is what a pod asks for: by name, labels and taints. Pure.

The rules are the scheduler's (component-helpers/scheduling/corev1), which the kubelet applies again.
"""

from __future__ import annotations

from collections.abc import Iterable

from podwright.k8s.node_selectors import matches_terms
from podwright.k8s.objects import Node, Pod, Taint, Toleration
from podwright.k8s.selectors import from_labels

NO_EXECUTE = "NoExecute"
EXISTS, EQUAL = "Exists", "Equal"


def matches_name(pod: Pod, node: Node) -> bool:
    """Whether the pod names this node, or no node."""
    return pod.spec.node_name in ("", node.metadata.name)


def matches_affinity(pod: Pod, node: Node) -> bool:
    """Whether the node matches the pod's nodeSelector and required node affinity."""
    if not from_labels(pod.spec.node_selector).matches(node.metadata.labels):
        return False
    affinity = pod.spec.affinity
    required = (
        affinity.node_affinity.required_during_scheduling_ignored_during_execution
        if affinity is not None and affinity.node_affinity is not None
        else None
    )
    return required is None or matches_terms(required.node_selector_terms, node.metadata.name, node.metadata.labels)


def untolerated_taint(pod: Pod, taints: Iterable[Taint], effect: str) -> Taint | None:
    """The first taint of this effect that the pod does not tolerate."""
    for taint in taints:
        if taint.effect == effect and not any(tolerates(each, taint) for each in pod.spec.tolerations):
            return taint
    return None


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration matches the taint. An empty effect or key matches all."""
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    if toleration.operator == EXISTS:
        return True
    return toleration.operator in ("", EQUAL) and toleration.value == taint.value
