"""Node selectors: which nodes a pod's affinity or a PersistentVolume's is for. Pure.

The rules are component-helpers/scheduling/corev1's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podwright.errors import InvalidArgument
from podwright.k8s.objects import NodeSelectorRequirement, NodeSelectorTerm
from podwright.k8s.selectors import Operator, Requirement


def matches_terms(terms: Iterable[NodeSelectorTerm], name: str, labels: Mapping[str, str]) -> bool:
    """Whether a node of this name with these labels meets one of the terms. Raises InvalidArgument."""
    return any(_term_matches(term, name, labels) for term in terms)


def _term_matches(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    """All conditions of a term have to be met. An empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    return _all_match(term.match_expressions, labels) and _all_match(term.match_fields, {"metadata.name": name})


def _all_match(expressions: Iterable[NodeSelectorRequirement], values: Mapping[str, str]) -> bool:
    return all(_requirement(expression).matches(values) for expression in expressions)


def _requirement(expression: NodeSelectorRequirement) -> Requirement:
    try:
        operator = Operator(expression.operator)
    except ValueError as failure:
        raise InvalidArgument(f"{expression.operator!r} is not an operator of a node selector") from failure
    return Requirement(key=expression.key, operator=operator, values=expression.values)
