"""Decides what to change so that running containers have the CPU and memory that their pod was allocated. Pure.

The rules are the kubelet's (computePodResizeAction and doPodResizeAction of Kubernetes 1.36, pkg/kubelet/kuberuntime).
Amounts are in thousandths of a CPU and in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from podwright.agent.pods.allocation import COMPUTE, PodAllocation, PodSizes, effective, sizes
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, ObservedPod
from podwright.k8s.objects import Container, Pod

RESTART = "RestartContainer"


class ContainerResize(msgspec.Struct, frozen=True, kw_only=True):
    """A running container whose resources differ from the allocated ones."""

    name: str
    id: str
    wanted: PodSizes
    current: PodSizes

    def changes(self, resource: str) -> bool:
        """Whether the resource, `cpu` or `memory`, changes."""
        wanted, current = self.wanted, self.current
        return (wanted.request(resource), wanted.limit(resource)) != (
            current.request(resource),
            current.limit(resource),
        )

    def grows(self, resource: str) -> bool:
        """Whether the container gets more of the resource. The limit decides, or the request if the limit stays."""
        wanted, current = self.wanted, self.current
        if wanted.limit(resource) != current.limit(resource):
            return wanted.limit(resource) > current.limit(resource)
        return wanted.request(resource) > current.request(resource)


class PodResize(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be resized: running containers, and the pod's cgroup.

    `restarts`: a container restarts for its new size. `pod_level`: the pod's own resources have changed.
    """

    containers: tuple[ContainerResize, ...] = ()
    restarts: bool = False
    pod_level: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.containers) or self.restarts or self.pod_level

    def of(self, resource: str) -> list[ContainerResize]:
        """The containers whose `cpu` or `memory` changes, those that get less first."""
        found = [each for each in self.containers if each.changes(resource)]
        return sorted(found, key=lambda each: each.grows(resource))

    def concerns(self, resource: str) -> bool:
        """Whether the pod's cgroup may need another limit for `cpu` or `memory`."""
        return self.restarts or self.pod_level or bool(self.of(resource))


NO_RESIZE = PodResize()


def resize_of(
    pod: Pod, container: Container, status: CriContainerStatus, actuated: PodAllocation | None
) -> ContainerResize | None:
    """The resize that a running container still needs. None if it needs none.

    `actuated` has the values that were last set. None: no record is kept. A container without a record was started by
    an agent without records, and is resized once more.
    """
    if actuated is None or status.state is not CriContainerState.RUNNING:
        return None
    wanted = sizes(effective(container.resources, pod.spec.resources))
    known = actuated.containers.get(container.name)
    current = sizes(effective(known, actuated.pod)) if known is not None else PodSizes()
    if wanted == current:
        return None
    return ContainerResize(name=container.name, id=status.id, wanted=wanted, current=current)


def needs_restart(container: Container, resize: ContainerResize, actuated: PodAllocation | None) -> bool:
    """Whether the resizePolicy demands a restart. A container whose present size is unknown is left running."""
    if actuated is None or container.name not in actuated.containers:
        return False
    policies: dict[str, str] = {}
    for each in container.resize_policy:
        policies.setdefault(each.resource_name, each.restart_policy)
    return any(resize.changes(resource) and policies.get(resource) == RESTART for resource in COMPUTE)


def resizes_pod_level(pod: Pod, actuated: PodAllocation | None) -> bool:
    """Whether the pod's own resources differ from those that were last set."""
    return actuated is not None and sizes(pod.spec.resources) != sizes(actuated.pod)


def is_in_progress(pod: Pod, observed: ObservedPod, actuated: PodAllocation | None) -> bool:
    """Whether a running container or the pod's cgroup still lacks its allocated resources: IsPodResizeInProgress.

    A container that does not run gets its size when it starts. Init containers that are not sidecars do not count.
    """
    if actuated is None:
        return False
    running = {each.name: each for each in observed.running()}
    for container in _lasting(pod):
        status = running.get(container.name)
        if status is not None and resize_of(pod, container, status, actuated) is not None:
            return True
    has_own = pod.spec.resources is not None and actuated.pod is not None
    return has_own and resizes_pod_level(pod, actuated)


def _lasting(pod: Pod) -> Iterator[Container]:
    yield from (each for each in pod.spec.init_containers if is_sidecar(each))
    yield from pod.spec.containers


def refused_decreases(
    containers: Iterable[ContainerResize],
    *,
    pod_limit: int | None,
    usage: Mapping[str, int | None],
    pod_usage: int | None,
) -> list[str]:
    """The reasons against smaller memory limits: more memory is in use. Empty if the limits may become smaller.

    `pod_limit` is the pod's new limit if it becomes smaller. `usage` is in bytes, by container, None if unknown.
    """
    faults = []
    if pod_limit is not None:
        faults.append(_fault("pod", pod_limit, pod_usage))
    for each in containers:
        before, after = each.current.memory_limit, each.wanted.memory_limit
        if after and (not before or after < before):
            faults.append(_fault(f'container "{each.name}"', after, usage.get(each.name)))
    return [fault for fault in faults if fault]


def _fault(whose: str, limit: int, usage: int | None) -> str:
    if usage is None:
        return f"missing {whose} memory usage"
    if usage >= limit:
        return f"attempting to set {whose} memory limit ({limit}) below current usage ({usage})"
    return ""
