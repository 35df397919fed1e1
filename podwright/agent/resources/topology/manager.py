"""Lets pods in whose resources can come from NUMA nodes that suit each other, and keeps what they were allotted.

`admission.allocation` asks when a pod is new, and takes back what pods had that have ended. `configs.builder` asks
before each start of a container.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from podwright.agent.configs.devices import Allocation, combined
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.topology.hints import ANYWHERE, HintProvider, TopologyHint
from podwright.agent.resources.topology.policies import TopologyPolicy
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod

log = logging.getLogger(__name__)

CONTAINER, POD = "container", "pod"  # the scopes
AFFINITY_ERROR = "TopologyAffinityError"
AFFINITY_MESSAGE = "Resources cannot be allocated with Topology locality"


class TopologyManager:
    """Fulfils `admission.allocation.Allocator` and `configs.ports.Allocations`."""

    def __init__(
        self, providers: Sequence[HintProvider], policy: TopologyPolicy | None = None, scope: str = CONTAINER
    ) -> None:
        """Without a `policy` resources come from anywhere. In scope `pod` all containers share one set of nodes."""
        self._providers = tuple(providers)
        self._policy = policy
        self._scope = scope

    async def allocate(self, pod: Pod) -> None:
        """Allot what the pod's containers want, all or nothing.

        Raises NotAdmitted, and other kinds of PodwrightError that a manager raises.
        """
        try:
            affinity = self._pod_affinity(pod) if self._scope == POD else None
            for container in _containers(pod):
                await self._allocate(pod, container, affinity or self._affinity(pod, container))
        except PodwrightError:
            self.release(pod.metadata.uid)
            raise

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        """What the container is to be created with. Raises PodwrightError."""
        return combined([await provider.allotted(pod, container) for provider in self._providers])

    def release(self, uid: str) -> None:
        """Take back what the pod has."""
        for provider in self._providers:
            provider.release(uid)

    def retain(self, uids: Collection[str]) -> None:
        """Take back what all other pods have."""
        for provider in self._providers:
            for uid in set(provider.holders()) - set(uids):
                log.info("what a pod was allotted is free again: uid=%s", uid)
                provider.release(uid)

    async def _allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        for provider in self._providers:
            await provider.allocate(pod, container, affinity)

    def _affinity(self, pod: Pod, container: Container) -> TopologyHint:
        if self._policy is None:
            return ANYWHERE
        best, is_good = self._policy.best([provider.hints(pod, container) for provider in self._providers])
        return _checked(best, is_good=is_good)

    def _pod_affinity(self, pod: Pod) -> TopologyHint:
        if self._policy is None:
            return ANYWHERE
        best, is_good = self._policy.best([provider.pod_hints(pod) for provider in self._providers])
        return _checked(best, is_good=is_good)


def _containers(pod: Pod) -> Iterator[Container]:
    """Ephemeral ones get nothing of their own."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers


def _checked(hint: TopologyHint, *, is_good: bool) -> TopologyHint:
    if not is_good:
        raise NotAdmitted(AFFINITY_ERROR, AFFINITY_MESSAGE)
    return hint
