"""Allots devices, CPUs and memory to a pod at its admission, and refuses a pod if that fails.

Reasons and messages are the kubelet's (pkg/kubelet/cm/admission of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from podwright.agent.admission.chain import Refusal
from podwright.agent.pods.failures import NotAdmitted
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod

UNEXPECTED = "UnexpectedAdmissionError"


class ResourceAllocator(Protocol):
    """Allots the resources that containers request: `resources.topology.manager`."""

    async def allocate(self, pod: Pod) -> None:
        """Allot what the pod's containers request, all or nothing. Raises NotAdmitted and other PodwrightErrors."""

    def retain(self, uids: Collection[str]) -> None:
        """Release the resources of all pods except these."""


class AllocationCheck:
    """A `chain.Check`."""

    def __init__(self, allocator: ResourceAllocator, all_sources_read: Callable[[], bool]) -> None:
        """Until `all_sources_read`, nothing is released: a pod that is still unknown may need what it was allotted."""
        self._allocator = allocator
        self._all_sources_read = all_sources_read

    async def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        """See `chain.Check`. First releases the resources of pods that have ended."""
        if self._all_sources_read():
            self._allocator.retain([each.metadata.uid for each in (pod, *others)])
        try:
            await self._allocator.allocate(pod)
        except NotAdmitted as failure:
            return Refusal(reason=failure.reason, message=failure.message)
        except PodwrightError as failure:
            return Refusal(reason=UNEXPECTED, message=f"Allocate failed due to {failure}, which is unexpected")
        return None
