"""The inputs of a status, in addition to the pod and the look at it: frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from podwright.agent.decisions.actions import FindingOf
from podwright.agent.decisions.restarts import RESTART_ALL, rule_for, wants_all_restarted
from podwright.agent.pods.allocation import PodAllocation
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Container, ContainerStatus, Pod, PodCondition, PodStatus, ResourceStatus

ALL_CONTAINERS_RESTARTING = "AllContainersRestarting"


class StartFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last start of a container failed, as ContainerStateWaiting shows it."""

    reason: str
    message: str


class StatusGates(msgspec.Struct, frozen=True, kw_only=True):
    """The feature gates that change a status, with their defaults in Kubernetes 1.36."""

    stop_signals: bool = False
    ready_to_start: bool = True
    pod_resources: bool = True
    resource_health: bool = True

    @classmethod
    def of(cls, states: Mapping[str, bool]) -> StatusGates:
        """The gates, from the states of all gates (`config.gates.enabled`)."""
        return cls(
            stop_signals=states["ContainerStopSignals"],
            ready_to_start=states["PodReadyToStartContainersCondition"],
            pod_resources=states["InPlacePodLevelResourcesVerticalScaling"],
            resource_health=states["ResourceHealthStatus"],
        )


def _nothing_found(*_: object) -> None:
    return None


class StatusInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of `builder.build_status`."""

    previous: PodStatus  # the newest status of this agent, else the API's
    now: datetime
    runtime_name: str = "containerd"  # the scheme of container IDs
    node_ips: tuple[str, ...] = ()  # at most one address of each family, the primary one first
    failures: Mapping[str, StartFailure] = msgspec.field(default_factory=dict)  # by container
    finding_of: FindingOf = _nothing_found
    # Termination messages by the runtime's container id.
    messages: Mapping[str, str] = msgspec.field(default_factory=dict)
    is_terminal: bool = False  # no container runs or will run
    recursive_read_only: bool = False  # whether the pod's runtime handler supports such mounts
    gates: StatusGates = msgspec.field(default_factory=StatusGates)
    resource_health: Mapping[str, Sequence[ResourceStatus]] = msgspec.field(default_factory=dict)  # by container
    resizes: tuple[PodCondition, ...] = ()  # about a resize of the pod
    actuated: PodAllocation | None = None  # the resources that were last set


class StatusSituation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a status is built from: the pod, the look at it, and the other inputs."""

    pod: Pod
    observed: ObservedPod
    inputs: StatusInputs
    restarts_all: bool  # whether a container's exit restarts all containers, and has not yet

    @classmethod
    def of(cls, pod: Pod, observed: ObservedPod, inputs: StatusInputs) -> StatusSituation:
        """The situation for `build_status`."""
        restarts_all = _restarts_all(pod, observed, inputs.previous)
        return cls(pod=pod, observed=observed, inputs=inputs, restarts_all=restarts_all)


def may_restart_all(pod: Pod) -> bool:
    """Whether a container has a rule that restarts all of them."""
    return any(
        rule.action == RESTART_ALL for container in _rule_holders(pod) for rule in container.restart_policy_rules
    )


def _rule_holders(pod: Pod) -> tuple[Container, ...]:
    return (*pod.spec.init_containers, *pod.spec.containers)


def _restarts_all(pod: Pod, observed: ObservedPod, previous: PodStatus) -> bool:
    """Whether all containers are being restarted: ShouldAllContainersRestart.

    True from the exit that demands it until all containers are removed. False also if every container exists and none
    demands it: an agent that was killed may not have shown the end.
    """
    if not may_restart_all(pod):
        return False
    if wants_all_restarted(pod, observed):
        return True
    if any(each.type == ALL_CONTAINERS_RESTARTING and each.status == "True" for each in previous.conditions):
        return any(observed.newest(container.name) is None for container in pod.spec.containers)
    shown = {status.name: status for status in (*previous.init_container_statuses, *previous.container_statuses)}
    return any(_asks_for_all(container, shown.get) for container in _rule_holders(pod))


def _asks_for_all(container: Container, shown: Callable[[str], ContainerStatus | None]) -> bool:
    status = shown(container.name)
    if status is None or status.state.terminated is None:
        return False
    rule = rule_for(container, status.state.terminated.exit_code)
    return rule is not None and rule.action == RESTART_ALL
