"""The memory manager: keeps the allotments of memory, also in the kubelet's file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial

from podwright.agent.configs.devices import NOTHING, Allocation
from podwright.agent.metrics.managers import MEMORY, POD, ManagerMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.resources.memory import checkpoint
from podwright.agent.resources.memory.state import MemoryState
from podwright.agent.resources.memory.static import MemoryPolicy, started_before
from podwright.agent.resources.pod_resources.shares import MemoryShare
from podwright.agent.resources.recovery import recover_state
from podwright.agent.resources.state_files import keep_state
from podwright.agent.resources.topology.hints import Hints, TopologyHint
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.linux.cpu_lists import spelt

log = logging.getLogger(__name__)

STATIC, NONE = "Static", "None"


class MemoryManager:
    """A `topology.hints.HintProvider` and `pod_resources.shares.MemoryShares`.

    Without a policy nothing is allotted.
    """

    def __init__(self, policy: MemoryPolicy | None, root: str, metrics: ManagerMetrics) -> None:
        """`root` is the agent's own directory."""
        self._policy = policy
        self._path = f"{root}/{checkpoint.FILE}"
        self._metrics = metrics
        self._state = MemoryState()

    def recover(self) -> None:
        """Take over the allotments of an earlier agent. Raises FailedPrecondition and Internal."""
        decode = partial(checkpoint.decode, policy=self._name)
        self._set(recover_state(self._path, decode, MemoryState(), self._policy, "memory"))

    def hints(self, pod: Pod, container: Container) -> Hints:
        return self._policy.hints(self._state, pod, container) if self._policy is not None else {}

    def pod_hints(self, pod: Pod) -> Hints:
        return self._policy.pod_hints(self._state, pod) if self._policy is not None else {}

    async def allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        if self._policy is None or not (wanted := self._policy.wanted(pod, container)):
            return
        self._metrics.memory.requests.add()
        has_some = bool(self._state.of(pod.metadata.uid, container.name))
        try:
            self._set(self._policy.allocated(self._state, pod, container, affinity))
        except PodwrightError:
            self._metrics.memory.errors.add()
            self._metrics.allotments.not_allotted(MEMORY)
            raise
        if not has_some:
            self._metrics.allotments.allotted(MEMORY, times=len(wanted))

    async def allocate_pod(self, pod: Pod, affinity: TopologyHint) -> None:
        if self._policy is None or not self._policy.wanted_by_pod(pod) or pod.metadata.uid in self._state.pods:
            return
        self._metrics.memory.requests.add()
        try:
            self._set(self._policy.allocated_pod(self._state, pod, affinity))
        except PodwrightError:
            self._metrics.memory.errors.add()
            self._metrics.allotments.not_allotted(MEMORY, POD)
            raise
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        alone = sum(bool(self._policy.wanted(pod, each)) for each in containers)
        self._metrics.allotments.allotted_to_pod(MEMORY, alone=alone, sharing=len(containers) - alone)

    async def allotted(self, pod: Pod, container: AnyContainer) -> Allocation:
        """See HintProvider. Releases the memory of init containers that have ended before this one."""
        if self._policy is None:
            return NOTHING
        uid = pod.metadata.uid
        ended = [name for name in started_before(pod, container.name) if self._state.of(uid, name)]
        if ended and uid not in self._state.pods:
            self._set(self._state.released(uid, *ended))
        nodes = {node for block in self._state.of(uid, container.name) for node in block.nodes}
        return Allocation(memory_nodes=spelt(nodes))

    def holders(self) -> Collection[str]:
        return frozenset(self._state.blocks)

    def release(self, uid: str) -> None:
        """See HintProvider. Raises Internal."""
        if uid in self._state.blocks:
            self._set(self._state.released(uid, *self._state.blocks[uid]))

    def own_memory(self, uid: str, container: str) -> Sequence[MemoryShare]:
        return [
            MemoryShare(kind=block.kind, size_bytes=block.size_bytes, nodes=block.nodes)
            for block in self._state.of(uid, container)
        ]

    def allocatable_memory(self) -> Sequence[MemoryShare]:
        return [
            MemoryShare(kind=kind, size_bytes=table.allocatable, nodes=(number,))
            for number, node in self._state.nodes.items()
            for kind, table in node.tables.items()
            if table.allocatable
        ]

    @property
    def _name(self) -> str:
        return STATIC if self._policy is not None else NONE

    @property
    def _by_pod(self) -> bool:
        return self._policy is not None and self._policy.by_pod

    def _set(self, state: MemoryState) -> None:
        """Replace the state, first on disk. Raises Internal."""
        keep_state(self._path, checkpoint.encode(self._name, state, by_pod=self._by_pod))
        self._state = state
