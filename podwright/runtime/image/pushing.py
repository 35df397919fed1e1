"""Pushing: an image of this node to a registry. Dropped blobs are fetched first, from where the image came from."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, Unavailable
from podwright.process import ProcessRunner
from podwright.runtime import config
from podwright.runtime.image.catalog import Catalog
from podwright.runtime.image.records import ImageRecord, Target
from podwright.runtime.image.refetch import Refetcher
from podwright.runtime.image.saving import found, whole
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry import failure as failures
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.logins import Logins
from podwright.runtime.registry.manifest import OCI_MANIFEST, Descriptor, Manifest
from podwright.runtime.registry.nulls import Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.reference import Reference
from podwright.runtime.registry.upload import Came, Uploader
from podwright.runtime.storage.blobs import open_blob, read_at

log = logging.getLogger(__name__)

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What the destination names now, and how its blobs came there."""

    reference: str
    digest: str
    uploaded_blobs: int
    uploaded_bytes: int
    mounted_blobs: int
    present_blobs: int


class _Kind(NullsAsDefaults, frozen=True, kw_only=True, rename="camel"):
    media_type: Nullable[str] = OCI_MANIFEST


class Pusher:
    """Used by the gRPC edge."""

    def __init__(
        self, catalog: Catalog, refetcher: Refetcher, settings: config.Registry, runner: ProcessRunner
    ) -> None:
        self._catalog = catalog
        self._refetcher = refetcher
        self._settings = settings
        self._logins = Logins(settings, runner)

    async def push(self, name: str, destination: str, auth: RegistryAuth | None) -> Pushed:
        """Push the image called `name` to a tag; of a multi-platform image only what this machine runs is here.

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
        log.info("image pushed reference=%s digest=%s bytes=%d", place, pushed.digest, pushed.uploaded_bytes)
        return pushed

    async def _push(
        self, uploader: Uploader, place: Reference, record: ImageRecord, target: Target, top: Manifest
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
        media_type = decode(data, _Kind).media_type
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


def _place(name: str, destination: str, called: Sequence[str]) -> Reference:
    if not destination and len(called) != 1:
        raise InvalidArgument(f"{name} has {len(called)} tags: where shall it go?", hint="give the destination")
    place = reference.parse(destination or called[0])
    if not place.tag:
        raise InvalidArgument(f"{destination} is a digest, which cannot be chosen", hint="push to a tag")
    return place


def _other_repositories(record: ImageRecord, place: Reference) -> list[str]:
    """Where else on the same server the image may be."""
    known = [reference.parse(name) for name in record.targets]
    same = [one.repository for one in known if one.host == place.host and one.repository != place.repository]
    return list(dict.fromkeys(same))


async def _read(fd: int, start: int, end: int) -> AsyncIterator[bytes]:
    """Bytes of an open blob."""
    while start < end:
        piece = await read_at(fd, start, min(READ_BYTES, end - start))
        start += len(piece)
        yield piece


def _error(place: Reference, failure: HostFailure) -> PodwrightError:
    text = f"cannot push {place}: {failure.message}"
    if failure.rank in (Rank.UNREACHABLE, Rank.UNAVAILABLE):
        return Unavailable(text)
    return FailedPrecondition(text) if failure.rank is Rank.GARBAGE else failures.ERRORS[failure.rank](text)
