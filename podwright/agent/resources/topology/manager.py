"""Lets all managers allot a pod's resources on the same NUMA nodes, or refuses the pod.

`admission.allocation` calls it for new pods, and to release the allotments of ended pods. `configs.builder` calls it
before each start of a container.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from podwright.agent.clock import Clock, SystemClock
from podwright.agent.configs.devices import Allocation, combined
from podwright.agent.metrics.managers import CONTAINER_SCOPE, ONE_NODE, POD_SCOPE, ManagerMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.pod_level import is_one
from podwright.agent.resources.topology.hints import NO_AFFINITY, HintProvider, Hints, TopologyHint
from podwright.agent.resources.topology.policies import TopologyPolicy
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod

log = logging.getLogger(__name__)

AFFINITY_ERROR = "TopologyAffinityError"
AFFINITY_MESSAGE = "Resources cannot be allocated with Topology locality"
WHOLE_POD_MESSAGES = {
    POD_SCOPE: "Pod Scope pod with pod-level resources failed admission under pod-scope topology manager",
    CONTAINER_SCOPE: "Pod Scope pod with pod-level resources failed admission with a container-level topology manager",
}


class TopologyManager:
    """Implements `admission.allocation.ResourceAllocator` and `configs.ports.Allocations`."""

    def __init__(
        self,
        providers: Sequence[HintProvider],
        policy: TopologyPolicy | None = None,
        scope: str = CONTAINER_SCOPE,
        metrics: ManagerMetrics | None = None,
        clock: Clock | None = None,
        *,
        by_pod: bool = False,
    ) -> None:
        """Without a `policy` any nodes will do. In scope `pod` all containers share one set of nodes.

        `by_pod`: in that scope a pod with pod-level resources gets them at once (the gate PodLevelResourceManagers).
        """
        self._providers = tuple(providers)
        self._policy = policy
        self._scope = scope
        self._metrics = metrics or ManagerMetrics()
        self._clock = clock or SystemClock()
        self._by_pod = by_pod

    async def allocate(self, pod: Pod) -> None:
        """Allot what the pod's containers want, all or nothing.

        Raises NotAdmitted, and other kinds of PodwrightError that a manager raises.
        """
        begun = self._clock.monotonic()
        self._metrics.topology.admissions.add()
        try:
            await self._allocate_all(pod)
        except PodwrightError:
            self._metrics.topology.admission_errors.add()
            self.release(pod.metadata.uid)
            raise
        finally:
            self._metrics.topology.admission_durations.observe((self._clock.monotonic() - begun) * 1000)

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        """The config of the container's allotments. Raises PodwrightError."""
        return combined([await provider.allotted(pod, container) for provider in self._providers])

    def release(self, uid: str) -> None:
        """Release the allotments of the pod."""
        for provider in self._providers:
            provider.release(uid)

    def retain(self, uids: Collection[str]) -> None:
        """Release the allotments of all pods except these."""
        for provider in self._providers:
            for uid in set(provider.holders()) - set(uids):
                log.info("what a pod was allotted is free again: uid=%s", uid)
                provider.release(uid)

    async def _allocate_all(self, pod: Pod) -> None:
        """Get hints and allot: in scope `pod` once for all containers, otherwise once for each."""
        if self._scope == POD_SCOPE:
            affinity = self._best(pod, [provider.pod_hints(pod) for provider in self._providers])
            if self._is_one(pod):
                for provider in self._providers:
                    await provider.allocate_pod(pod, affinity)
            else:
                for container in _containers(pod):
                    await self._allocate(pod, container, affinity)
            self._count_aligned()
            return
        for container in _containers(pod):
            affinity = self._best(pod, [provider.hints(pod, container) for provider in self._providers])
            await self._allocate(pod, container, affinity)
            self._count_aligned()

    async def _allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        for provider in self._providers:
            await provider.allocate(pod, container, affinity)

    def _is_one(self, pod: Pod) -> bool:
        return self._by_pod and is_one(pod)

    def _best(self, pod: Pod, hints: list[Hints]) -> TopologyHint:
        """The best set of nodes for resources with these hints. Raises NotAdmitted."""
        if self._policy is None:
            return NO_AFFINITY
        best, is_good = self._policy.best(hints)
        if not is_good:
            if self._policy.is_alignment_guaranteed:
                self._metrics.alignment.unaligned.add(self._scope, ONE_NODE)
            message = WHOLE_POD_MESSAGES[self._scope] if self._is_one(pod) else AFFINITY_MESSAGE
            raise NotAdmitted(AFFINITY_ERROR, message)
        return best

    def _count_aligned(self) -> None:
        if self._policy is not None and self._policy.is_alignment_guaranteed:
            self._metrics.alignment.aligned.add(self._scope, ONE_NODE)


def _containers(pod: Pod) -> Iterator[Container]:
    """The containers that can have allotments: all except ephemeral ones."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
