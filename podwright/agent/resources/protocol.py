"""The cgroups of pods, as the rooms above see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podwright.agent.resources.limits import CgroupLimits
from podwright.k8s.objects import Pod


class Cgroups(Protocol):
    """The cgroups of pods: `cgroups`, or `keeping`."""

    def parent_of(self, pod: Pod) -> str:
        """What CRI calls the cgroup parent. Empty when pods have no cgroup of ours."""

    def exists(self, pod: Pod) -> bool:
        """Whether the pod's cgroup is there."""

    async def ensure(self, pod: Pod) -> None:
        """Make the pod's cgroup with its limits. Raises PodwrightError."""

    def wanted(self, pod: Pod) -> CgroupLimits:
        """The limits of a pod with these resources."""

    def current(self, pod: Pod) -> CgroupLimits | None:
        """CPU and memory that the pod's cgroup has now. None when it has none of ours. Raises PodwrightError."""

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        """Change limits of the pod's cgroup. Raises PodwrightError."""

    async def remove(self, uid: str) -> None:
        """Remove the pod's cgroup with what is left in it. An absent one succeeds."""


class QosCgroups(Cgroups, Protocol):
    """The cgroups of pods, and those of all pods and of the QoS classes above them: `cgroups`."""

    async def ensure_root(self) -> None:
        """Make the cgroups of all pods and of the classes. Raises PodwrightError."""

    async def update_qos(self, pods: Sequence[Pod]) -> None:
        """Give the classes what their pods request together."""

    async def reduce_cpu(self, uid: str) -> None:
        """Give a pod that ends the least CPU that a cgroup can have."""

    def found(self) -> frozenset[str]:
        """The UIDs of the pods that have a cgroup."""
