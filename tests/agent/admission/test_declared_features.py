"""Pods that need what not every node has."""

from __future__ import annotations

import pytest

from podwright.agent.admission.declared_features import DeclaredFeaturesCheck
from podwright.k8s.objects import Container, ContainerRestartRule, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod

RESTART_ALL = "RestartAllContainersOnContainerExits"
HOST_USERS = "UserNamespacesHostNetworkSupport"


def restarting(name: str, action: str = "RestartAllContainers") -> Container:
    return container(name, restart_policy_rules=(ContainerRestartRule(action=action),))


NEEDY = {
    "a rule of a container": (pod(containers=(container(), restarting("b"))), RESTART_ALL),
    "a rule of an init container": (pod(init_containers=(restarting("first"),)), RESTART_ALL),
    "users of its own on the host's network": (pod(host_network=True, host_users=False), HOST_USERS),
}
PLAIN = {
    "nothing special": pod(),
    "a rule that restarts its container": pod(containers=(restarting("a", "Restart"),)),
    "users of its own": pod(host_users=False),
    "the host's network": pod(host_network=True),
}


@pytest.mark.parametrize(("needy", "feature"), NEEDY.values(), ids=NEEDY)
def test_a_feature_that_the_node_does_not_declare(needy: Pod, feature: str) -> None:
    refusal = DeclaredFeaturesCheck([each for each in (RESTART_ALL, HOST_USERS) if each != feature])(needy, ())
    assert refusal is not None
    assert refusal.reason == "PodFeatureUnsupported"
    assert refusal.message == f"Pod requires node features that are not available: {feature}"
    assert DeclaredFeaturesCheck([feature])(needy, ()) is None


@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
def test_a_pod_that_needs_none(plain: Pod) -> None:
    assert DeclaredFeaturesCheck(())(plain, ()) is None


def test_all_that_is_missing_is_named() -> None:
    needy = pod(containers=(restarting("a"),), host_network=True, host_users=False)
    refusal = DeclaredFeaturesCheck(())(needy, ())
    assert refusal is not None
    assert refusal.message.endswith(f": {RESTART_ALL}, {HOST_USERS}")


SMALL, LARGE = (ResourceRequirements(requests={"cpu": amount}) for amount in ("1", "2"))
RESIZE_POD = "InPlacePodLevelResourcesVerticalScaling"
RESIZE_INIT = "InPlacePodVerticalScalingInitContainers"
CHANGES = {
    "resources of the pod": (pod(resources=SMALL), pod(resources=LARGE), RESIZE_POD),
    "resources of an init container": (
        pod(init_containers=(container("first", resources=SMALL),)),
        pod(init_containers=(container("first", resources=LARGE),)),
        RESIZE_INIT,
    ),
    "the same amount in other words": (
        pod(resources=SMALL),
        pod(resources=ResourceRequirements(requests={"cpu": "1000m"})),
        "",
    ),
    "resources of a sidecar": (
        pod(init_containers=(container("first", restart_policy="Always", resources=SMALL),)),
        pod(init_containers=(container("first", restart_policy="Always", resources=LARGE),)),
        "",
    ),
    "resources of a container": (
        pod(containers=(container(resources=SMALL),)),
        pod(containers=(container(resources=LARGE),)),
        "",
    ),
}


@pytest.mark.parametrize(("old", "new", "feature"), CHANGES.values(), ids=CHANGES)
def test_a_change_that_needs_a_feature(old: Pod, new: Pod, feature: str) -> None:
    expected = f"Pod requires node features that are not available: {feature}" if feature else ""
    assert DeclaredFeaturesCheck(()).problem_of_change(old, new) == expected
    assert DeclaredFeaturesCheck([feature]).problem_of_change(old, new) == ""
