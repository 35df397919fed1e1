"""Refuses pods that need a feature that this node does not declare. Pure.

The API server and the scheduler use the same list (`status.declaredFeatures`, KEP-5328). But they never see static
pods, and a pod may have been bound or changed before the node lost a feature. The rules are the kubelet's
(component-helpers/nodedeclaredfeatures of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from podwright.agent.admission.chain import Refusal
from podwright.agent.pods.allocation import is_same
from podwright.agent.pods.identity import is_sidecar
from podwright.k8s.objects import Pod

UNSUPPORTED = "PodFeatureUnsupported"
RESTART_ALL = "RestartAllContainersOnContainerExits"
HOST_NETWORK_USERS = "UserNamespacesHostNetworkSupport"
RESIZE_PODS = "InPlacePodLevelResourcesVerticalScaling"
RESIZE_INIT_CONTAINERS = "InPlacePodVerticalScalingInitContainers"


class DeclaredFeaturesCheck:
    """A `chain.Check`."""

    def __init__(self, declared: Collection[str]) -> None:
        self._declared = frozenset(declared)

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        problem = self._problem(needed(pod))
        return Refusal(reason=UNSUPPORTED, message=problem) if problem else None

    def problem_of_change(self, old: Pod, new: Pod) -> str:
        """Why a change of a pod cannot take effect. Empty if it can."""
        return self._problem(needed_by_change(old, new))

    def _problem(self, features: Iterator[str]) -> str:
        missing = sorted(set(features) - self._declared)
        return f"Pod requires node features that are not available: {', '.join(missing)}" if missing else ""


def needed(pod: Pod) -> Iterator[str]:
    """The features that the pod needs."""
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    if any(rule.action == "RestartAllContainers" for each in containers for rule in each.restart_policy_rules):
        yield RESTART_ALL
    if pod.spec.host_network and pod.spec.host_users is False:
        yield HOST_NETWORK_USERS


def needed_by_change(old: Pod, new: Pod) -> Iterator[str]:
    """The features that the change from one version of a pod to the next needs."""
    if not is_same(old.spec.resources, new.spec.resources):
        yield RESIZE_PODS
    wanted = {each.name: each.resources for each in new.spec.init_containers}
    ordinary = (each for each in old.spec.init_containers if not is_sidecar(each))
    if any(each.resources != wanted.get(each.name, each.resources) for each in ordinary):
        yield RESIZE_INIT_CONTAINERS
