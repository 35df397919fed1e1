"""Refuses new pods under pressure, except critical pods and those that do not add to the pressure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from podwright.agent.admission.chain import Refusal
from podwright.agent.admission.node_match import tolerates
from podwright.agent.eviction.messages import EVICTED, refused
from podwright.agent.node.conditions import Pressure
from podwright.agent.pods.identity import is_critical
from podwright.agent.pods.qos import BEST_EFFORT, qos_class
from podwright.k8s.objects import Pod, Taint

MEMORY_TAINT = Taint(key="node.kubernetes.io/memory-pressure", effect="NoSchedule")  # set on the node by a controller


class PressureCheck:
    """A `chain.Check` with the rules of Admit of the kubelet's eviction manager."""

    def __init__(self, pressures: Callable[[], Collection[Pressure]]) -> None:
        self._pressures = pressures

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        pressures = self._pressures()
        if not pressures or is_critical(pod):
            return None
        if set(pressures) == {Pressure.MEMORY} and _adds_little(pod):
            return None
        return Refusal(reason=EVICTED, message=refused(pressures))


def _adds_little(pod: Pod) -> bool:
    """Whether a pod may run though memory is short: it requests resources, or tolerates the taint."""
    return qos_class(pod) != BEST_EFFORT or any(tolerates(each, MEMORY_TAINT) for each in pod.spec.tolerations)
