"""The interface of a kind of storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from podwright.agent.volumes.storage.plans import StoredPlan
from podwright.k8s.objects import Pod

Plan_contra = TypeVar("Plan_contra", bound=StoredPlan, contravariant=True)


class StorageTask(msgspec.Struct, frozen=True, kw_only=True):
    """One call for a volume.

    `is_mounted`: it is already mounted. `waiting` is called with whether it waits for its attachment.
    """

    pod: Pod
    is_mounted: bool
    waiting: Callable[[bool], None]


class StorageKind(Protocol[Plan_contra]):
    """One kind of storage. All methods may be repeated, and raise PodwrightError and OSError."""

    async def mount(self, task: StorageTask, plan: Plan_contra) -> None:
        """Mount the volume in the pod's directory, or bring it up to date."""

    async def clear(self, uid: str) -> None:
        """Remove what the pod has of this kind and what an unmount of everything leaves."""

    async def collect(self) -> None:
        """Remove what pods shared and none uses any more."""
