"""What a kind of storage does for the volumes of pods, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from podwright.agent.volumes.storage.plans import StoredPlan
from podwright.k8s.objects import Pod

Plan_contra = TypeVar("Plan_contra", bound=StoredPlan, contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTask:
    """One look at a volume. `is_mounted`: it is there already. `waiting` is told whether it waits to be attached."""

    pod: Pod
    is_mounted: bool
    waiting: Callable[[bool], None]


class StorageKind(Protocol[Plan_contra]):
    """One kind of storage. All methods may be repeated, and raise PodwrightError and OSError."""

    async def mount(self, task: StorageTask, plan: Plan_contra) -> None:
        """Have the volume in the pod's directory."""

    async def clear(self, uid: str) -> None:
        """Take away what the pod has of this kind, as far as an unmount of everything does not do it."""

    async def collect(self) -> None:
        """Take away what no pod uses any more of what several share."""
