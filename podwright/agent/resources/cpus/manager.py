"""The CPU manager: keeps the assignments of CPUs in memory and in the kubelet's file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from functools import partial

from podwright.agent.configs.devices import NOTHING, Allocation
from podwright.agent.metrics.managers import CONTAINER_SCOPE, CORE, CPU, POD, SHARED_CACHE, ManagerMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.resources.cpus import checkpoint
from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.cpus.layout import NO_CPUS, CpuLayout, Cpus
from podwright.agent.resources.cpus.options import CpuOptions
from podwright.agent.resources.cpus.static import StaticPolicy
from podwright.agent.resources.pod_level import is_one
from podwright.agent.resources.recovery import recover_state
from podwright.agent.resources.state_files import keep_state
from podwright.agent.resources.topology.hints import Hints, TopologyHint
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.linux.cpu_lists import spelt

log = logging.getLogger(__name__)

STATIC, NONE = "static", "none"


class CpuManager:
    """A `topology.hints.HintProvider`. Without a policy no container has exclusive CPUs."""

    def __init__(
        self,
        layout: CpuLayout,
        policy: StaticPolicy | None,
        root: str,
        metrics: ManagerMetrics,
        *,
        options: CpuOptions | None = None,
        lifts_quota: bool = True,
    ) -> None:
        """`root` is the agent's own directory. `lifts_quota`: a container with exclusive CPUs has no CPU quota."""
        self._layout = layout
        self._policy = policy
        self._path = f"{root}/{checkpoint.FILE}"
        self._metrics = metrics
        self._options = options or CpuOptions()
        self._lifts_quota = lifts_quota
        self._assignments = CpuAssignments()
        self._last: dict[tuple[str, str], Cpus] = {}
        self.changed = asyncio.Event()  # set when running containers must move

    def recover(self) -> None:
        """Take over the assignments of an earlier agent. Raises FailedPrecondition and OSError."""
        decode = partial(checkpoint.decode, policy=self._name)
        self._set(recover_state(self._path, decode, CpuAssignments(), self._policy, "CPU"))

    def hints(self, pod: Pod, container: Container) -> Hints:
        if self._policy is None:
            return {}
        hints = self._policy.hints(self._assignments, pod, container)
        return {} if hints is None else {"cpu": hints}

    def pod_hints(self, pod: Pod) -> Hints:
        if self._policy is None:
            return {}
        hints = self._policy.pod_hints(self._assignments, pod)
        return {} if hints is None else {"cpu": hints}

    async def allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        if self._policy is None or not self._policy.wanted(pod, container):
            return
        self._metrics.cpus.requests.add()
        has_some = bool(self.own(pod.metadata.uid, container.name))
        try:
            self._set(self._policy.allocated(self._assignments, pod, container, affinity))
        except PodwrightError:
            self._metrics.cpus.errors.add()
            self._metrics.allotments.not_allotted(CPU)
            if self._options.whole_cores:
                self._metrics.alignment.unaligned.add(CONTAINER_SCOPE, CORE)
            raise
        own = self.own(pod.metadata.uid, container.name)
        log.info(
            "a container has CPUs of its own: pod=%s/%s container=%s cpus=%s",
            pod.metadata.namespace,
            pod.metadata.name,
            container.name,
            spelt(own),
        )
        if self._options.whole_cores:
            self._metrics.alignment.aligned.add(CONTAINER_SCOPE, CORE)
        if has_some:
            return
        self._metrics.allotments.allotted(CPU)
        if self._layout.share_a_cache(own):
            self._metrics.alignment.aligned.add(CONTAINER_SCOPE, SHARED_CACHE)

    async def allocate_pod(self, pod: Pod, affinity: TopologyHint) -> None:
        if self._policy is None or not self._policy.wanted_by_pod(pod) or pod.metadata.uid in self._assignments.pods:
            return
        try:
            self._set(self._policy.allocated_pod(self._assignments, pod, affinity))
        except PodwrightError:
            self._metrics.cpus.errors.add()
            self._metrics.allotments.not_allotted(CPU, POD)
            raise
        cpus = spelt(self._assignments.of_pod(pod.metadata.uid))
        log.info("a pod has CPUs of its own: pod=%s/%s cpus=%s", pod.metadata.namespace, pod.metadata.name, cpus)
        alone = [self._policy.wanted(pod, each) > 0 for each in (*pod.spec.init_containers, *pod.spec.containers)]
        self._metrics.cpus.requests.add(by=sum(alone))
        self._metrics.allotments.allotted_to_pod(CPU, alone=sum(alone), sharing=len(alone) - sum(alone))

    async def allotted(self, pod: Pod, container: AnyContainer) -> Allocation:
        if self._policy is None:
            return NOTHING
        cpus = self.cpus_of(pod.metadata.uid, container.name)
        self.moved(pod.metadata.uid, container.name, cpus)
        return Allocation(cpus=spelt(cpus), has_own_cpus=self._lifts_quota and self._is_alone(pod, container))

    def holders(self) -> Collection[str]:
        return frozenset(self._assignments.own)

    def release(self, uid: str) -> None:
        """See HintProvider. Raises Internal."""
        if uid in self._assignments.own:
            self._set(self._assignments.released(uid))

    def own(self, uid: str, container: str) -> Cpus:
        """The exclusive CPUs of a container."""
        return self._assignments.of(uid, container) or NO_CPUS

    def cpus_of(self, uid: str, container: str) -> Cpus:
        """The CPUs that a container may run on: its exclusive CPUs, or the shared ones."""
        return self._assignments.of(uid, container) or self._assignments.shared

    def allocatable(self) -> Cpus:
        """The CPUs that an empty node can allot exclusively."""
        return self._policy.allocatable() if self._policy is not None else NO_CPUS

    def lifts_quota_of(self, pod: Pod) -> bool:
        """Whether the pod must have no CPU quota, because one of its containers has exclusive CPUs."""
        if not self._lifts_quota or not self._assignments.of_pod(pod.metadata.uid):
            return False
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        return not is_one(pod) or all(self._is_alone(pod, container) for container in containers)

    def _is_alone(self, pod: Pod, container: AnyContainer) -> bool:
        """Whether no other container uses the container's CPUs."""
        if not self.own(pod.metadata.uid, container.name):
            return False
        return not is_one(pod) or (
            self._policy is not None and isinstance(container, Container) and self._policy.wanted(pod, container) > 0
        )

    # -- running containers

    def is_moved(self, uid: str, container: str) -> bool:
        """Whether a container runs on its CPUs, as far as is known."""
        return self._last.get((uid, container)) == self.cpus_of(uid, container)

    def moved(self, uid: str, container: str, cpus: Cpus) -> None:
        """Note that a container was created with these CPUs, or moved to them."""
        self._last[uid, container] = cpus

    def forget_others(self, uids: Collection[str]) -> None:
        """Forget the containers of all pods except these."""
        self._last = {key: cpus for key, cpus in self._last.items() if key[0] in uids}

    @property
    def _name(self) -> str:
        return STATIC if self._policy is not None else NONE

    @property
    def _by_pod(self) -> bool:
        return self._policy is not None and self._policy.by_pod

    def _set(self, assignments: CpuAssignments) -> None:
        """Replace the assignments, first on disk, so that the next agent finds them after a crash. Raises Internal."""
        keep_state(self._path, checkpoint.encode(self._name, assignments, by_pod=self._by_pod))
        if assignments.shared != self._assignments.shared:
            self.changed.set()
        self._assignments = assignments
        if self._policy is not None:
            self._measure(self._policy)

    def _measure(self, policy: StaticPolicy) -> None:
        own = self._assignments.all_own()
        self._metrics.cpus.shared_millicores.set(1000 * len(self._assignments.shared - policy.reserved))
        self._metrics.cpus.own_cpus.set(len(own))
        for node in self._layout.ids("node", self._layout.all):
            self._metrics.cpus.own_cpus_by_node.set(len(self._layout.within("node", {node}, own)), str(node))
