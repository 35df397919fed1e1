"""ImageService: pulls, finds, holds and removes the images of this node.

Called by the gRPC edge, and by the room of containers (`hold`, `release`). The catalog decides what is on the node
and what may be deleted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime.config import ImageSettings, RegistrySettings, SignatureSettings
from podwright.runtime.image import lookup, trees
from podwright.runtime.image.catalog import ContentLease, ImageCatalog
from podwright.runtime.image.pulling.pull import ImagePuller
from podwright.runtime.image.records import Hold, ImageRecord
from podwright.runtime.image.requests import ImageRequests, by_name
from podwright.runtime.image.trees import ImageTree
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import FsUsage, Image, RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.state import Database
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import EMPTY, LayerStore

log = logging.getLogger(__name__)

USAGE_AGE_S = 10.0


class ImageService(ImageRequests):
    """The images of this node. Call `recover` before anything else."""

    def __init__(
        self,
        database: Database,
        root: str,
        registry: RegistrySettings,
        images: ImageSettings,
        signatures: SignatureSettings,
        runner: ProcessRunner,
        life: LifeCycles | None = None,
    ) -> None:
        super().__init__()
        self._life = life
        self._blobs = BlobStore(f"{root}/images")
        self._layers = LayerStore(database, f"{root}/layers", images, runner)
        self.catalog = ImageCatalog(database, self._blobs, self._layers, images)
        self.puller = ImagePuller(self._blobs, self._layers, registry, images, signatures, runner)
        self._keep_blobs = images.keep_blobs
        self._background: set[asyncio.Task[None]] = set()
        self._usage: tuple[int, FsUsage] | None = None  # (the catalog's generation, the usage)

    async def _pull(self, whole: ImageReference, auth: RegistryAuth | None) -> ImageId:
        started = time.monotonic()
        if self._life:
            await self._life.pull_image(str(whole))
        with self._tracker.pull(str(whole)) as progress:
            async with self.catalog.leased() as lease:
                pulled = await self.puller.pull(whole, auth, lease, progress)
                names = {str(whole), str(whole.at(pulled.target.digest))}
                self.catalog.record(pulled.image, dict.fromkeys(names, pulled.target))
        log.info("image pulled: name=%s id=%s seconds=%.2f", whole, pulled.image.id, time.monotonic() - started)
        self.sync_layers()
        if self._life:
            await self._life.image_pulled(str(whole), pulled.image)
        return pulled.image.id

    def sync_layers(self) -> None:
        """Sync new layers to disk in the background, so that they survive a power cut."""
        self._start(self._layers.sync(), "sync layers")

    def find(self, name: str) -> Image | None:
        """The image with that id, prefix of an id, tag, digest or short name, or None.

        Raises InvalidArgument for an empty name and an ambiguous prefix.
        """
        record = lookup.find(self.catalog.records, name)
        return record.image if record is not None else None

    def get(self, name: str) -> Image:
        """As `find`, but raises NotFound."""
        image = self.find(name)
        if image is None:
            raise NotFound(f"image {name} is not on this node", hint=f"podwright pull {name}")
        return image

    def runnable(self, name: str) -> Image:
        """As `get`, for an image that containers can run. Raises FailedPrecondition for an artifact."""
        image = self.get(name)
        if image.artifact_type:
            why = f"image {name} is an artifact of type {image.artifact_type}, which cannot run"
            raise FailedPrecondition(why, hint="mount it into a container as an image volume")
        return image

    def list(self) -> list[Image]:
        """All images, by their first name."""
        return by_name(record.image for record in self.catalog.records.values())

    async def remove(self, name: str) -> None:
        """Remove an image with all its names. An unknown one succeeds.

        Layers in use stay until their holders release them.

        Raises InvalidArgument as `find` does.
        """
        record = lookup.find(self.catalog.records, name)
        if record is None:
            return
        self.catalog.forget(record.image.id)
        log.info("image removed: id=%s name=%s", record.image.id, name)
        await self.catalog.collect(blobs_of(record), record.image.layers)
        self.catalog.publish()  # last, because a full disk has space for the index only now

    def hold(self, holder_id: str, *image_ids: str) -> tuple[ImageTree, ...]:
        """Hold the layers of images for a holder, even if the images are removed. Replaces the holder's former hold.

        Returns the tree of each image. Raises NotFound.
        """
        held = []
        for image_id in image_ids:
            record = self.catalog.records.get(image_id)
            if record is None:
                raise NotFound(f"image {image_id} is not on this node", hint="pull it again")
            held.append(record.image.layers)
        layers_held = tuple(dict.fromkeys(layer for layers in held for layer in layers))
        self.catalog.put_hold(holder_id, Hold(layers=layers_held, images=tuple(dict.fromkeys(image_ids))))
        store = self._layers
        return tuple(trees.of_layers(layers or (EMPTY,), store.path, store.describes_root) for layers in held)

    def release(self, holder_id: str) -> None:
        """End a hold. An unknown one succeeds. Layers that nothing needs are deleted in the background."""
        hold = self.catalog.drop_hold(holder_id)
        if hold is not None:
            self._start(self.catalog.collect((), hold.layers), "delete released layers")

    async def fs_usage(self) -> FsUsage:
        """The disk usage of blobs and layers, each counted once. The result may be USAGE_AGE_S old."""
        now, generation = time.time_ns(), self.catalog.generation
        if self._usage is None or self._usage[0] != generation or now - self._usage[1].timestamp > USAGE_AGE_S * 1e9:
            blob_bytes, blob_inodes = await asyncio.to_thread(self._blobs.usage)
            layer_bytes, layer_inodes = self._layers.usage()
            usage = FsUsage(
                mountpoint=self._blobs.root,
                used_bytes=blob_bytes + layer_bytes,
                inodes_used=blob_inodes + layer_inodes,
                timestamp=now,
            )
            self._usage = (generation, usage)
        return self._usage[1]

    async def recover(self) -> None:
        """At start: undo incomplete work of a killed daemon, and repair what a power cut or a person damaged."""
        self._blobs.clear_ingest()
        await self._layers.recover()
        for record in list(self.catalog.records.values()):
            if not await self._is_whole(record):
                log.warning("image lost: id=%s names=%s", record.image.id, ",".join(record.targets))
                self.catalog.forget(record.image.id)
        await self.catalog.collect(self._blobs.digests(), self._layers.ids())
        self.catalog.publish()

    async def _is_whole(self, record: ImageRecord) -> bool:
        """Whether everything exists that cannot be derived from the rest.

        Missing layers are unpacked again if possible.
        """
        there = set(self._layers.ids()).issuperset(record.image.layers)
        documents = {blob for target in record.targets.values() for blob in target.documents}
        needed = documents if there and not self._keep_blobs else blobs_of(record)
        if any(self._blobs.size(digest) is None for digest in needed):
            return False
        image = record.image
        if not there:
            name, target = next(iter(record.targets.items()))
            try:
                image = (await self.puller.unpack_again(target, reference.parse(name), ContentLease())).image
            except PodwrightError as failure:
                log.warning("cannot unpack image again: id=%s error=%s", record.image.id, failure)
                return False
        self.catalog.replace(image)
        return True

    async def close(self) -> None:
        """Stop pulls, and wait for background work."""
        await self._pulls.cancel()
        if self._background:
            await asyncio.wait(self._background)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(self._guarded(work, name), name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except PodwrightError as failure:
            log.warning("background work failed: work=%s error=%s", name, failure)


def blobs_of(record: ImageRecord) -> set[str]:
    """Every blob that belongs to an image."""
    return {blob for target in record.targets.values() for blob in target.blobs}
