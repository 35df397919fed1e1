"""The kubelet's general predicates as one check: may this pod run on this node beside these others?

Order and messages are the kubelet's (pkg/kubelet/lifecycle/predicate.go of Kubernetes 1.36), because controllers and
e2e suites look for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from podwright.agent.admission.chain import Refusal
from podwright.agent.admission.fit import Shortage, at_least, port_conflict, shortages
from podwright.agent.admission.node_match import NO_EXECUTE, matches_affinity, matches_name, untolerated_taint
from podwright.agent.pods.identity import is_critical, is_static
from podwright.k8s.objects import Node, Pod

OS_LABEL, OS = "kubernetes.io/os", "linux"
AFFINITY = "NodeAffinity"


class Preemption(Protocol):
    """Makes room for critical pods: `preemption`."""

    def make_room(self, pod: Pod, others: Sequence[Pod], short: Sequence[Shortage]) -> str:
        """End less important pods so that this one fits.

        Returns the reason if that is impossible, else an empty text.
        """


def _no_devices(_: str) -> Mapping[str, int]:
    return {}


class Predicates:
    """A `chain.Check`."""

    def __init__(
        self,
        node: Callable[[], Node],
        preemption: Preemption | None = None,
        taken_devices: Callable[[str], Mapping[str, int]] = _no_devices,
    ) -> None:
        """`node` returns the newest known version of the Node object.

        `taken_devices` has the numbers of devices that are allotted to the pod with a UID, by resource.
        """
        self._node = node
        self._preemption = preemption
        self._taken_devices = taken_devices

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        node = self._node()
        if (refusal := _unsupported(pod, node)) is not None:
            return refusal
        taken = self._taken_devices(pod.metadata.uid)
        short = shortages(pod, others, at_least(node.status.allocatable, taken))
        mismatches = list(_mismatches(pod, others, node))
        if short and self._preemption is not None and is_critical(pod):
            return mismatches[0] if mismatches else _preemption_failure(self._preemption.make_room(pod, others, short))
        if short:
            return _out_of(short[0])
        return mismatches[0] if mismatches else None


class FreshNodePredicates:
    """A `chain.Check`: Predicates that fetch the node from the API server before its labels refuse a pod.

    A label may be newer than the watch's last event (generalFilter of pkg/kubelet/lifecycle/predicate.go).
    """

    def __init__(self, predicates: Predicates, refresh_node: Callable[[], Awaitable[None]]) -> None:
        self._predicates = predicates
        self._refresh_node = refresh_node

    async def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        refusal = self._predicates(pod, others)
        if refusal is None or refusal.reason != AFFINITY:
            return refusal
        await self._refresh_node()
        return self._predicates(pod, others)


def _unsupported(pod: Pod, node: Node) -> Refusal | None:
    """Why the node cannot run the pod even if other pods end."""
    if pod.metadata.labels.get(OS_LABEL, OS) != OS:
        return Refusal(
            reason="PodOSSelectorNodeLabelDoesNotMatch",
            message="Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        )
    if pod.spec.os is not None and pod.spec.os.name != OS:
        return Refusal(reason="PodOSNotSupported", message="Failed to admit pod as the OS field doesn't match node OS")
    context = pod.spec.security_context
    policy = context.supplemental_groups_policy if context is not None else None
    has_policies = node.status.features is not None and node.status.features.supplemental_groups_policy
    if policy == "Strict" and not has_policies:
        return Refusal(
            reason="SupplementalGroupsPolicyNotSupported",
            message="SupplementalGroupsPolicy=Strict is not supported in this node",
        )
    return None


def _mismatches(pod: Pod, others: Sequence[Pod], node: Node) -> list[Refusal]:
    found = []
    if not matches_affinity(pod, node):
        found.append(_failed(AFFINITY, "node(s) didn't match Pod's node affinity/selector"))
    if not matches_name(pod, node):
        found.append(_failed("NodeName", "node(s) didn't match the requested node name"))
    if port_conflict(pod, others):
        found.append(_failed("NodePorts", "node(s) didn't have free ports for the requested pod ports"))
    if not is_static(pod) and untolerated_taint(pod, node.spec.taints, NO_EXECUTE) is not None:
        found.append(_failed("TaintToleration", "node(s) had taints that the pod didn't tolerate"))
    return found


def _failed(predicate: str, why: str) -> Refusal:
    return Refusal(reason=predicate, message=f"Predicate {predicate} failed: {why}")


def _preemption_failure(why: str) -> Refusal | None:
    """The refusal after a preemption that failed, and `why`. None if `why` is empty: it succeeded."""
    message = f"Unexpected error while attempting to recover from admission failure: {why}"
    return Refusal(reason="UnexpectedAdmissionError", message=message) if why else None


def _out_of(short: Shortage) -> Refusal:
    message = (
        f"Node didn't have enough resource: {short.resource}, requested: {short.requested}, used: {short.used}, "
        f"capacity: {short.capacity}"
    )
    return Refusal(reason=f"OutOf{short.resource}", message=message)
