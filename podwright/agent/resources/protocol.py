"""The interface of the cgroups of pods, for the rooms above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podwright.agent.resources.limits import CgroupLimits
from podwright.k8s.objects import Pod


class Cgroups(Protocol):
    """The cgroups of pods: `cgroups`, or `keeping`."""

    def parent_of(self, pod: Pod) -> str:
        """CRI's cgroup parent. Empty if the agent makes no cgroups."""

    def exists(self, pod: Pod) -> bool:
        """Whether the pod's cgroup exists."""

    async def ensure(self, pod: Pod) -> None:
        """Make the pod's cgroup with its limits. Raises PodwrightError."""

    def wanted(self, pod: Pod) -> CgroupLimits:
        """The limits of a pod with these resources."""

    def current(self, pod: Pod) -> CgroupLimits | None:
        """The present CPU and memory limits of the pod's cgroup.

        None if the agent makes no cgroups. Raises PodwrightError.
        """

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        """Change limits of the pod's cgroup. Raises PodwrightError."""

    async def remove(self, uid: str) -> None:
        """Remove the pod's cgroup with what is left in it. An absent one succeeds."""


class QosCgroups(Cgroups, Protocol):
    """The whole tree: the cgroups of pods, of QoS classes, and of all pods: `cgroups`."""

    async def ensure_root(self) -> None:
        """Make the cgroups of all pods and of the classes. Raises PodwrightError."""

    async def update_qos(self, pods: Sequence[Pod]) -> None:
        """Set the limits of the classes from the sums of their pods' requests."""

    async def reduce_cpu(self, uid: str) -> None:
        """Limit a pod that is ending to the least CPU of a cgroup."""

    def found(self) -> frozenset[str]:
        """The UIDs of the pods that have a cgroup."""
