"""A pod gets the devices, CPUs and memory that are to be its own when it is let in, or it is not let in.

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
    """What allots: `resources.topology.manager`."""

    async def allocate(self, pod: Pod) -> None:
        """Allot what the pod's containers want, all or nothing. Raises NotAdmitted and other PodwrightErrors."""

    def retain(self, uids: Collection[str]) -> None:
        """Take back what all other pods have."""


class AllocationCheck:
    """Fulfils `chain.Check`."""

    def __init__(self, allocator: ResourceAllocator, all_sources_read: Callable[[], bool]) -> None:
        """Until all sources are read, a pod that is not known may still come and have what was its own."""
        self._allocator = allocator
        self._all_sources_read = all_sources_read

    async def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        """See `chain.Check`. What pods had that have ended since is free for this one."""
        if self._all_sources_read():
            self._allocator.retain([each.metadata.uid for each in (pod, *others)])
        try:
            await self._allocator.allocate(pod)
        except NotAdmitted as failure:
            return Refusal(reason=failure.reason, message=failure.message)
        except PodwrightError as failure:
            return Refusal(reason=UNEXPECTED, message=f"Allocate failed due to {failure}, which is unexpected")
        return None
