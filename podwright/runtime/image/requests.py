"""Requests for images that are the same whatever keeps them: equal pulls share one job, and watchers see progress.

An engine extends `ImageRequests` with its steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable

from podwright.runtime.image.pulling.progress import PullTracker
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image, RegistryAuth
from podwright.runtime.model.image_store import PullSnapshot
from podwright.runtime.registry import reference
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.single_flight import SingleFlight


class ImageRequests(ABC):
    """The images of an engine."""

    def __init__(self) -> None:
        self._tracker = PullTracker()
        self._pulls: SingleFlight[tuple[str, RegistryAuth | None], ImageId] = SingleFlight(
            "pull image", outlives_callers=False
        )

    @abstractmethod
    async def _pull(self, whole: ImageReference, auth: RegistryAuth | None) -> ImageId:
        """Fetch an image, or find that the stored one is current."""

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> ImageId:
        """Fetch an image, or find that the stored one is current. Equal pulls share the work.

        If a caller is cancelled, the pull continues for the others. The last one stops it. A failed or stopped pull
        leaves nothing. Raises InvalidArgument, NotFound, PermissionDenied, FailedPrecondition (the image is damaged,
        hostile, or for other platforms), ResourceExhausted (disk), RuntimeFailed and Unknown (RegistryUnavailable,
        SignatureValidationFailed).
        """
        whole = reference.parse(name)
        return await self._pulls.join((str(whole), auth), lambda: self._pull(whole, auth))

    def watch_pulls(self, name: str = "") -> AsyncGenerator[tuple[PullSnapshot, ...], None]:
        """Snapshots of pulls in progress, of one image or of all: see `pulling.progress`.

        Raises InvalidArgument for an invalid name.
        """
        return self._tracker.watch(str(reference.parse(name)) if name else "")

    def end_watches(self) -> None:
        """End all watches of pulls, before the daemon stops."""
        self._tracker.close()


def by_name(images: Iterable[Image]) -> list[Image]:
    """The images in the order of a list: by their first name."""
    return sorted(images, key=lambda image: (*image.repo_tags[:1], *image.repo_digests[:1], image.id))
