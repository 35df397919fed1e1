"""Whether a node is one that a pod asks for: by name, labels, and the effects of taints. Pure.

The rules are the scheduler's (component-helpers/scheduling/corev1), which the kubelet applies once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podwright.errors import InvalidArgument
from podwright.k8s.objects import Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration
from podwright.k8s.selectors import Operator, Requirement, from_labels

NO_EXECUTE = "NoExecute"
EXISTS, EQUAL = "Exists", "Equal"


def matches_name(pod: Pod, node: Node) -> bool:
    """Whether the pod is for this node, or for none in particular."""
    return pod.spec.node_name in ("", node.metadata.name)


def matches_affinity(pod: Pod, node: Node) -> bool:
    """Whether the node meets the pod's nodeSelector and what its node affinity requires."""
    if not from_labels(pod.spec.node_selector).matches(node.metadata.labels):
        return False
    affinity = pod.spec.affinity
    required = (
        affinity.node_affinity.required_during_scheduling_ignored_during_execution
        if affinity is not None and affinity.node_affinity is not None
        else None
    )
    return required is None or any(_term_matches(term, node) for term in required.node_selector_terms)


def untolerated_taint(pod: Pod, taints: Iterable[Taint], effect: str) -> Taint | None:
    """The first taint of this effect that the pod does not tolerate."""
    for taint in taints:
        if taint.effect == effect and not any(tolerates(each, taint) for each in pod.spec.tolerations):
            return taint
    return None


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration is for this taint. An empty effect or key is for all."""
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    if toleration.operator == EXISTS:
        return True
    return toleration.operator in ("", EQUAL) and toleration.value == taint.value


def _term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """All conditions of a term have to be met. An empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return _all_match(term.match_expressions, node.metadata.labels) and _all_match(term.match_fields, fields)


def _all_match(expressions: Iterable[NodeSelectorRequirement], values: Mapping[str, str]) -> bool:
    return all(_requirement(expression).matches(values) for expression in expressions)


def _requirement(expression: NodeSelectorRequirement) -> Requirement:
    try:
        operator = Operator(expression.operator)
    except ValueError as failure:
        raise InvalidArgument(f"{expression.operator!r} is not an operator of a node selector") from failure
    return Requirement(key=expression.key, operator=operator, values=expression.values)
