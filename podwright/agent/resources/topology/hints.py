"""The interface of the topology manager to the managers of devices, CPUs and memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from podwright.agent.configs.devices import Allocation
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.resources.topology.masks import NodeMask
from podwright.k8s.objects import Container, Pod


class TopologyHint(msgspec.Struct, frozen=True, kw_only=True):
    """A set of NUMA nodes that can serve a request. `nodes` None means any.

    A `preferred` set has no more nodes than the request needs on an empty machine.
    """

    nodes: NodeMask | None
    preferred: bool


ANYWHERE = TopologyHint(nodes=None, preferred=True)
NO_AFFINITY = TopologyHint(nodes=None, preferred=False)  # without a topology policy

# By resource. None: the resource may come from anywhere. Empty: no set of nodes can serve the request.
Hints = Mapping[str, Sequence[TopologyHint] | None]


class HintProvider(Protocol):
    """A manager that allots resources of the machine to containers.

    Its allotments survive a restart of the agent, in the manager's own checkpoint.
    """

    def hints(self, pod: Pod, container: Container) -> Hints:
        """The sets of nodes that can serve a container. Empty if it wants nothing of this manager.

        A container with an allotment gets one preferred hint: the nodes of the allotment.
        """

    def pod_hints(self, pod: Pod) -> Hints:
        """The same for all containers of a pod together."""

    async def allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        """Allot what the container wants, on the nodes of `affinity` if possible.

        An existing allotment stays. Raises NotAdmitted with a reason of the kubelet's, or another PodwrightError, for
        which the reason is UnexpectedAdmissionError.
        """

    async def allocate_pod(self, pod: Pod, affinity: TopologyHint) -> None:
        """The same for all containers of a pod with pod-level resources (the gate PodLevelResourceManagers)."""

    async def allotted(self, pod: Pod, container: AnyContainer) -> Allocation:
        """The config of the container's allotments. Called before each start of an instance. Raises PodwrightError."""

    def holders(self) -> Collection[str]:
        """The UIDs of the pods that have allotments."""

    def release(self, uid: str) -> None:
        """Release the allotments of a pod. A pod without any succeeds."""
