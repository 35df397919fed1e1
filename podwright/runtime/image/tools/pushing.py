"""Push: sends an image of this node to a registry.

Blobs that were dropped are first fetched from the image's origin.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, Unavailable
from podwright.process import ProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.image.catalog import ImageCatalog
from podwright.runtime.image.records import ImageRecord, ImageTarget
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.saving import found, whole
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.model.image_store import Pushed
from podwright.runtime.registry import failure as failures
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.registry.manifest import OCI_MANIFEST, Descriptor, Manifest
from podwright.runtime.registry.nulls import Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.registry.upload import Came, Uploader
from podwright.runtime.storage.blobs import open_blob, read_at

log = logging.getLogger(__name__)

READ_BYTES = 1 << 20


class _DocumentKind(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    media_type: Nullable[str] = OCI_MANIFEST


class Pusher:
    """Pushes images."""

    def __init__(
        self, catalog: ImageCatalog, refetcher: Refetcher, settings: RegistrySettings, runner: ProcessRunner
    ) -> None:
        self._catalog = catalog
        self._refetcher = refetcher
        self._settings = settings
        self._logins = DaemonLogins(settings, runner)

    async def push(self, name: str, destination: str, auth: RegistryAuth | None) -> Pushed:
        """Push the image called `name` to a tag.

        Of a multi-platform image, only this machine's platform is stored and pushed.

        Raises NotFound, InvalidArgument, PermissionDenied, FailedPrecondition and Unavailable.
        """
        record, called = found(self._catalog, name)
        place = _place(name, destination, called)
        target = record.targets[called[0]] if called else next(iter(record.targets.values()))
        async with self._catalog.leased() as lease:
            top, _ = await whole(self._catalog, self._refetcher, record, target, lease)
            try:
                async with Client(place, auth, self._settings, self._logins) as client:
                    pushed = await self._push(Uploader(client.destination()), place, record, target, top)
            except HostFailure as failure:
                raise _error(place, failure) from failure
        log.info("image pushed: reference=%s digest=%s bytes=%d", place, pushed.digest, pushed.uploaded_bytes)
        return pushed

    async def _push(
        self, uploader: Uploader, place: ImageReference, record: ImageRecord, target: ImageTarget, top: Manifest
    ) -> Pushed:
        blobs = {each.digest: each for each in (*top.layers, top.config)}
        others = _other_repositories(record, place)
        slots = asyncio.Semaphore(self._settings.concurrent_downloads)

        async def bring(blob: Descriptor) -> Came:
            async with slots:
                with open_blob(self._catalog.blobs.path(blob.digest)) as fd:
                    return await uploader.blob(
                        blob.digest, blob.size, lambda start, end: _read(fd, start, end), others
                    )

        try:
            async with asyncio.TaskGroup() as group:
                jobs = {
                    digest: group.create_task(bring(blob), name=f"push {blob.digest}")
                    for digest, blob in blobs.items()
                }
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        came = {digest: job.result() for digest, job in jobs.items()}
        data = self._catalog.blobs.read(target.manifest) or b""
        media_type = decode(data, _DocumentKind).media_type
        await uploader.manifest(place.tag, data, media_type, target.manifest)
        count = Counter(came.values())
        return Pushed(
            reference=str(place),
            digest=target.manifest,
            uploaded_blobs=count[Came.UPLOADED],
            uploaded_bytes=sum(blobs[digest].size for digest, how in came.items() if how is Came.UPLOADED),
            mounted_blobs=count[Came.MOUNTED],
            present_blobs=count[Came.PRESENT],
        )


def _place(name: str, destination: str, called: Sequence[str]) -> ImageReference:
    if not destination and len(called) != 1:
        raise InvalidArgument(
            f"{name} has {len(called)} tags, so the destination is ambiguous", hint="name the destination"
        )
    place = reference.parse(destination or called[0])
    if not place.tag:
        raise InvalidArgument(f"{destination} is a digest, and only tags can be pushed to", hint="push to a tag")
    return place


def _other_repositories(record: ImageRecord, place: ImageReference) -> list[str]:
    """Other repositories on the same server that may have the image's blobs."""
    known = [reference.parse(name) for name in record.targets]
    same = [one.repository for one in known if one.host == place.host and one.repository != place.repository]
    return list(dict.fromkeys(same))


async def _read(fd: int, start: int, end: int) -> AsyncIterator[bytes]:
    """A range of bytes of an open blob."""
    while start < end:
        piece = await read_at(fd, start, min(READ_BYTES, end - start))
        start += len(piece)
        yield piece


def _error(place: ImageReference, failure: HostFailure) -> PodwrightError:
    text = f"cannot push {place}: {failure.message}"
    if failure.rank in (Rank.UNREACHABLE, Rank.UNAVAILABLE):
        return Unavailable(text)
    return FailedPrecondition(text) if failure.rank is Rank.GARBAGE else failures.ERRORS[failure.rank](text)
