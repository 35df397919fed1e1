"""Refuses pods that need a feature which this node does not declare. Pure.

The API server and the scheduler go by the same list (`status.declaredFeatures`, KEP-5328). They never see a static
pod, and a pod may have been bound before the node lost a feature. The rules are the kubelet's
(component-helpers/nodedeclaredfeatures of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from podwright.agent.admission.chain import Refusal
from podwright.k8s.objects import Pod

UNSUPPORTED = "PodFeatureUnsupported"
RESTART_ALL = "RestartAllContainersOnContainerExits"
HOST_NETWORK_USERS = "UserNamespacesHostNetworkSupport"


class DeclaredFeaturesCheck:
    """Fulfils `chain.Check`."""

    def __init__(self, declared: Collection[str]) -> None:
        self._declared = frozenset(declared)

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        missing = sorted(set(needed(pod)) - self._declared)
        if not missing:
            return None
        message = f"Pod requires node features that are not available: {', '.join(missing)}"
        return Refusal(reason=UNSUPPORTED, message=message)


def needed(pod: Pod) -> Iterator[str]:
    """The features without which the pod cannot run."""
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    if any(rule.action == "RestartAllContainers" for each in containers for rule in each.restart_policy_rules):
        yield RESTART_ALL
    if pod.spec.host_network and pod.spec.host_users is False:
        yield HOST_NETWORK_USERS
