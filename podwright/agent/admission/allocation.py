"""Allots devices, CPUs and memory to a pod at its admission. A pod that cannot have them is not admitted.

The reasons and sentences are the kubelet's (pkg/kubelet/cm/admission of Kubernetes 1.36).
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
    """Allots what containers request: `resources.topology.manager`."""

    async def allocate(self, pod: Pod) -> None:
        """Allot what the pod's containers want, all or nothing. Raises NotAdmitted and other PodwrightErrors."""

    def retain(self, uids: Collection[str]) -> None:
        """Release what all pods but these have."""


class AllocationCheck:
    """Fulfils `chain.Check`."""

    def __init__(self, allocator: ResourceAllocator, all_sources_read: Callable[[], bool]) -> None:
        """Until all sources are read, an unknown pod may still appear and needs what it was allotted."""
        self._allocator = allocator
        self._all_sources_read = all_sources_read

    async def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        """See `chain.Check`. What pods had that have ended is free for this one."""
        if self._all_sources_read():
            self._allocator.retain([each.metadata.uid for each in (pod, *others)])
        try:
            await self._allocator.allocate(pod)
        except NotAdmitted as failure:
            return Refusal(reason=failure.reason, message=failure.message)
        except PodwrightError as failure:
            return Refusal(reason=UNEXPECTED, message=f"Allocate failed due to {failure}, which is unexpected")
        return None
