"""Where a pod may run: tolerations, affinities, spreading, gates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from podwright.errors import InvalidArgument
from podwright.k8s.names import label_faults, label_value_faults, qualified_name_faults
from podwright.k8s.objects.meta import LabelSelector
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.objects.scheduling import NodeSelectorTerm, PodAffinityTerm, Toleration, TopologySpreadConstraint
from podwright.k8s.problems import Problem, duplicate, forbidden, invalid, required
from podwright.k8s.selectors import from_label_selector
from podwright.k8s.validation.common import labels, named, one_of

EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
NODE_OPERATORS = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
WEIGHT_MAX = 100


def validate_scheduling(spec: PodSpec) -> Iterator[Problem]:
    """Everything that a scheduler reads."""
    yield from labels("spec.nodeSelector", spec.node_selector)
    for index, toleration in enumerate(spec.tolerations):
        yield from _toleration(f"spec.tolerations[{index}]", toleration)
    yield from _affinity(spec)
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(spec.topology_spread_constraints):
        path = f"spec.topologySpreadConstraints[{index}]"
        yield from _spread(path, constraint)
        key = (constraint.topology_key, constraint.when_unsatisfiable)
        if key in seen:
            yield duplicate(path, f"{{{key[0]}, {key[1]}}}")
        seen.add(key)
    for index, gate in enumerate(spec.readiness_gates):
        path = f"spec.readinessGates[{index}].conditionType"
        yield from (invalid(path, gate.condition_type, fault) for fault in qualified_name_faults(gate.condition_type))
    names: set[str] = set()
    for index, scheduling_gate in enumerate(spec.scheduling_gates):
        path = f"spec.schedulingGates[{index}]"
        yield from named(path, scheduling_gate.name, qualified_name_faults)
        if scheduling_gate.name in names:
            yield duplicate(path, scheduling_gate.name)
        names.add(scheduling_gate.name)
    if spec.node_name and spec.scheduling_gates:
        yield forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def _toleration(path: str, toleration: Toleration) -> Iterator[Problem]:
    operator, value = toleration.operator or "Equal", toleration.value
    yield from named(f"{path}.key", toleration.key, qualified_name_faults, needed=False)
    if not toleration.key and operator != "Exists":
        message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid(f"{path}.operator", toleration.operator, message)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid(f"{path}.effect", toleration.effect, message)
    # Lt and Gt stand behind a feature gate that is off (TaintTolerationComparisonOperators).
    yield from one_of(f"{path}.operator", operator, ("Equal", "Exists"))
    if operator == "Equal":
        yield from (invalid(f"{path}.operator", value, fault) for fault in label_value_faults(value))
    elif operator == "Exists" and value:
        yield invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'")
    yield from one_of(f"{path}.effect", toleration.effect, EFFECTS, needed=False)


def _affinity(spec: PodSpec) -> Iterator[Problem]:
    if spec.affinity is None:
        return
    path = "spec.affinity"
    if (nodes := spec.affinity.node_affinity) is not None:
        here = f"{path}.nodeAffinity"
        needed = nodes.required_during_scheduling_ignored_during_execution
        if needed is not None and not needed.node_selector_terms:
            where = f"{here}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
            yield required(where, "must have at least one node selector term")
        for index, term in enumerate(needed.node_selector_terms if needed else ()):
            where = f"{here}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"
            yield from _node_term(where, term)
        for index, choice in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            where = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            yield from _weight(f"{where}.weight", choice.weight)
            yield from _node_term(f"{where}.preference", choice.preference)
    for wire, pods in (
        ("podAffinity", spec.affinity.pod_affinity),
        ("podAntiAffinity", spec.affinity.pod_anti_affinity),
    ):
        if pods is None:
            continue
        here = f"{path}.{wire}"
        for index, pod_term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            yield from _pod_term(f"{here}.requiredDuringSchedulingIgnoredDuringExecution[{index}]", pod_term)
        for index, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            where = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            yield from _weight(f"{where}.weight", weighted.weight)
            yield from _pod_term(f"{where}.podAffinityTerm", weighted.pod_affinity_term)


def _node_term(path: str, term: NodeSelectorTerm) -> Iterator[Problem]:
    for index, item in enumerate(term.match_expressions):
        here = f"{path}.matchExpressions[{index}]"
        yield from named(f"{here}.key", item.key, qualified_name_faults)
        yield from one_of(f"{here}.operator", item.operator, NODE_OPERATORS)
        yield from _values(f"{here}.values", item.operator, item.values)
    for index, item in enumerate(term.match_fields):
        here = f"{path}.matchFields[{index}]"
        if item.key != "metadata.name":
            yield invalid(f"{here}.key", item.key, "not a valid field selector key")
        if item.operator not in ("In", "NotIn"):
            yield invalid(f"{here}.operator", item.operator, "not a valid selector operator")
        if len(item.values) != 1:
            yield required(
                f"{here}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )


def _values(path: str, operator: str, values: Iterable[str]) -> Iterator[Problem]:
    count = len(tuple(values))
    if operator in ("In", "NotIn") and not count:
        yield required(path, "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and count:
        yield forbidden(path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and count != 1:
        yield required(path, "must be specified single value when `operator` is 'Lt' or 'Gt'")


def _pod_term(path: str, term: PodAffinityTerm) -> Iterator[Problem]:
    yield from named(f"{path}.topologyKey", term.topology_key, qualified_name_faults)
    yield from _selector(f"{path}.labelSelector", term.label_selector)
    yield from _selector(f"{path}.namespaceSelector", term.namespace_selector)
    for namespace in term.namespaces:
        yield from named(f"{path}.namespace", namespace, label_faults)
    yield from _label_keys(f"{path}.matchLabelKeys", term.match_label_keys, term.label_selector)
    yield from _label_keys(f"{path}.mismatchLabelKeys", term.mismatch_label_keys, term.label_selector)
    for index, key in enumerate(term.match_label_keys):
        where = f"{path}.matchLabelKeys[{index}]"
        if key in term.mismatch_label_keys:
            yield invalid(where, key, "exists in both matchLabelKeys and mismatchLabelKeys")
        if key in _keys_of(term.label_selector):
            yield invalid(where, key, "exists in both matchLabelKeys and labelSelector")


def _spread(path: str, constraint: TopologySpreadConstraint) -> Iterator[Problem]:
    if constraint.max_skew <= 0:
        yield invalid(f"{path}.maxSkew", constraint.max_skew, "must be greater than zero")
    yield from named(f"{path}.topologyKey", constraint.topology_key, qualified_name_faults)
    yield from one_of(f"{path}.whenUnsatisfiable", constraint.when_unsatisfiable, UNSATISFIABLE)
    if constraint.min_domains is not None:
        if constraint.min_domains <= 0:
            yield invalid(f"{path}.minDomains", constraint.min_domains, "must be greater than zero")
        if constraint.when_unsatisfiable != "DoNotSchedule":
            message = "can only use minDomains if whenUnsatisfiable=DoNotSchedule"
            yield invalid(f"{path}.minDomains", constraint.min_domains, message)
    for wire, policy in (
        ("nodeAffinityPolicy", constraint.node_affinity_policy),
        ("nodeTaintsPolicy", constraint.node_taints_policy),
    ):
        if policy is not None:
            yield from one_of(f"{path}.{wire}", policy, ("Honor", "Ignore"))
    yield from _selector(f"{path}.labelSelector", constraint.label_selector)
    yield from _label_keys(f"{path}.matchLabelKeys", constraint.match_label_keys, constraint.label_selector)
    for index, key in enumerate(constraint.match_label_keys):
        if key in _keys_of(constraint.label_selector):
            where = f"{path}.matchLabelKeys[{index}]"
            yield invalid(where, key, "exists in both matchLabelKeys and labelSelector")


def _label_keys(path: str, keys: Sequence[str], selector: LabelSelector | None) -> Iterator[Problem]:
    if keys and selector is None:
        yield forbidden(path, "must not be specified when labelSelector is not set")
    for index, key in enumerate(keys):
        yield from (invalid(f"{path}[{index}]", key, fault) for fault in qualified_name_faults(key))


def _keys_of(selector: LabelSelector | None) -> frozenset[str]:
    if selector is None:
        return frozenset()
    return frozenset(selector.match_labels) | {item.key for item in selector.match_expressions}


def _selector(path: str, selector: LabelSelector | None) -> Iterator[Problem]:
    try:
        from_label_selector(selector)
    except InvalidArgument as failure:
        yield invalid(path, "", failure.message)


def _weight(path: str, weight: int) -> Iterator[Problem]:
    if not 1 <= weight <= WEIGHT_MAX:
        yield invalid(path, weight, f"must be in the range 1-{WEIGHT_MAX}")
