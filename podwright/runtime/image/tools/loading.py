"""Load: adds the images of an archive to this node, all of them or none."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from podwright.errors import FailedPrecondition
from podwright.process import ProcessRunner
from podwright.runtime.archive import contents
from podwright.runtime.archive.contents import ArchiveImage
from podwright.runtime.archive.members import Members, taken_apart
from podwright.runtime.config import ImageSettings
from podwright.runtime.image.catalog import ContentLease
from podwright.runtime.image.pulling.pull import PulledImage
from podwright.runtime.image.service import ImageService

log = logging.getLogger(__name__)


class Loader:
    """Loads archives."""

    def __init__(self, images: ImageService, settings: ImageSettings, runner: ProcessRunner) -> None:
        self._images = images
        self._settings = settings
        self._runner = runner

    async def load(self, chunks: AsyncIterator[bytes], name: str = "") -> list[tuple[str, list[str]]]:
        """Read an archive as it arrives. Returns the ids and names of its images. See `contents.images` for `name`.

        Raises FailedPrecondition (damaged, hostile, incomplete), InvalidArgument, ResourceExhausted, Unknown (the
        policy forbids that name for images from archives), and what `chunks` raises. A failure leaves the store
        unchanged.
        """
        catalog = self._images.catalog
        folder, limit = catalog.blobs.ingest_folder, self._settings.max_archive_bytes
        async with catalog.leased() as lease:
            async with taken_apart(self._runner, folder, chunks, limit) as members:
                found = contents.images(members, name)
                for reference in (each for one in found for each in one.names):
                    self._images.puller.signatures.check_archived(reference)
                await self._store(members, found, lease)
            brought = [await self._brought(one, lease) for one in found]
            for one, pulled in zip(found, brought, strict=True):
                catalog.record(pulled.image, {str(name): pulled.target for name in one.names})
        log.info("archive loaded: images=%s", contents.named_by(found))
        self._images.sync_layers()
        return [(pulled.image.id, list(map(str, one.names))) for one, pulled in zip(found, brought, strict=True)]

    async def _store(self, members: Members, found: list[ArchiveImage], lease: ContentLease) -> None:
        """Store all files as blobs. Those that no image needs are deleted with the lease."""
        blobs = self._images.catalog.blobs
        for digest, member in contents.blobs(members).items():
            lease.blobs.add(digest)
            await blobs.adopt(members.path(member), digest, member.size)
        for one in found:
            if one.document:
                lease.blobs.add(one.digest)
                await blobs.put(one.document)

    async def _brought(self, one: ArchiveImage, lease: ContentLease) -> PulledImage:
        try:
            return await self._images.puller.take(one.digest, one.names[0], lease)
        except FailedPrecondition as failure:
            raise FailedPrecondition(f"cannot load {failure.message}", hint=failure.hint) from failure
