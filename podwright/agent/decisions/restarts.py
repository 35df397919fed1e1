"""Whether a container that has ended runs again.

A container's own restart rules come first, then its own policy, then the pod's (KEP 5307).
"""

from __future__ import annotations

from podwright.agent.pods.containers import AnyContainer
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, ObservedPod
from podwright.k8s.objects import ContainerRestartRule, Pod

ALWAYS, ON_FAILURE, NEVER = "Always", "OnFailure", "Never"
RESTART, RESTART_ALL = "Restart", "RestartAllContainers"


def policy_of(pod: Pod, container: AnyContainer) -> str:
    """The container's restart policy: its own, or the pod's."""
    return container.restart_policy or pod.spec.restart_policy or ALWAYS


def restarts_on_failure(pod: Pod, container: AnyContainer) -> bool:
    """Whether the container runs again after a failure, whatever the exit code."""
    return policy_of(pod, container) != NEVER


def rule_for(container: AnyContainer, exit_code: int) -> ContainerRestartRule | None:
    """The first rule that matches the exit code."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is None:
            continue
        is_in = exit_code in codes.values
        if (codes.operator == "In" and is_in) or (codes.operator == "NotIn" and not is_in):
            return rule
    return None


def restarts_after(pod: Pod, container: AnyContainer, exit_code: int) -> bool:
    """Whether the container runs again after it has ended with this code."""
    rule = rule_for(container, exit_code)
    if rule is not None and rule.action in (RESTART, RESTART_ALL):
        return True
    policy = policy_of(pod, container)
    return policy == ALWAYS or (policy == ON_FAILURE and exit_code != 0)


def should_start(pod: Pod, container: AnyContainer, status: CriContainerStatus | None) -> bool:
    """Whether a container whose newest instance this is has to be started now. A deleted pod starts nothing."""
    if pod.metadata.deletion_timestamp is not None:
        return False
    if status is None:
        return True
    if status.state is CriContainerState.RUNNING:
        return False
    if status.state in (CriContainerState.UNKNOWN, CriContainerState.CREATED):
        return True
    return restarts_after(pod, container, status.exit_code)


def wants_all_restarted(pod: Pod, observed: ObservedPod) -> str:
    """The name of a container whose end has all containers of the pod restarted. Empty when there is none."""
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        status = observed.newest(container.name)
        if status is None or status.state is not CriContainerState.EXITED:
            continue
        rule = rule_for(container, status.exit_code)
        if rule is not None and rule.action == RESTART_ALL:
            return container.name
    return ""
