"""ImageService: the images of this node. Owns their records, decides what may be deleted, and joins equal pulls.

Called by the gRPC edge (ImageService) and by whoever builds container roots (`hold`, `release`). All decisions on
records happen between two awaits on the event loop, so they need no locks; what is in use by a pull is in its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any

import msgspec

from podwright.errors import NotFound, PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime import config
from podwright.runtime.image import lookup
from podwright.runtime.image.pull import Lease, Pulled, Puller
from podwright.runtime.image.records import Hold, ImageRecord, Target
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import FsUsage, Image, RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.reference import Reference
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Table
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import EMPTY, LayerStore
from podwright.runtime.storage.layout import Listed

log = logging.getLogger(__name__)

USAGE_AGE_S = 10.0


class ImageService:
    """See the module's docstring. `reconcile` comes before any other call."""

    def __init__(
        self,
        database: Database,
        root: str,
        registry: config.Registry,
        images: config.Images,
        runner: ProcessRunner,
    ) -> None:
        self._database = database
        self._blobs = BlobStore(f"{root}/images")
        self._layers = LayerStore(database, f"{root}/layers", images, runner)
        self._puller = Puller(self._blobs, self._layers, registry, images, runner)
        self._table = Table(database, "images", ImageRecord)
        self._hold_table = Table(database, "image_holds", Hold)
        self._records = self._table.load()
        self._holds = self._hold_table.load()
        self._leases: list[Lease] = []
        self._pulls: SingleFlight[tuple[str, RegistryAuth | None], ImageId] = SingleFlight(
            "pull image", outlives_callers=False
        )
        self._background: set[asyncio.Task[None]] = set()
        self._usage: FsUsage | None = None

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> ImageId:
        """Bring an image, or find that it is there as the registry has it; equal pulls share the work.

        A cancelled caller leaves the pull to the others, the last one stops it; a pull that fails or is stopped
        leaves nothing. Raises InvalidArgument, NotFound, PermissionDenied, FailedPrecondition (the image is
        damaged, hostile, or for other platforms), ResourceExhausted (disk) and Unknown (RegistryUnavailable).
        """
        whole = reference.parse(name)
        return await self._pulls.join((str(whole), auth), lambda: self._pull(whole, auth))

    async def _pull(self, whole: Reference, auth: RegistryAuth | None) -> ImageId:
        started = time.monotonic()
        with self._leased() as lease:
            try:
                pulled = await self._puller.pull(whole, auth, lease)
                self._record(whole, pulled)
            except BaseException:
                self._leases.remove(lease)
                await self._collect(lease.blobs, lease.layers)
                raise
        log.info("image pulled name=%s id=%s seconds=%.2f", whole, pulled.image.id, time.monotonic() - started)
        self._start(self._layers.sync(), "sync layers")
        return pulled.image.id

    @contextlib.contextmanager
    def _leased(self) -> Iterator[Lease]:
        lease = Lease()
        self._leases.append(lease)
        try:
            yield lease
        finally:
            if lease in self._leases:
                self._leases.remove(lease)

    def _record(self, whole: Reference, pulled: Pulled) -> None:
        """Make the image findable under its names, and take these from the images that had them."""
        names = {str(whole), str(whole.at(pulled.target.digest))}
        changed = {
            key: _renamed(record, {name: to for name, to in record.targets.items() if name not in names})
            for key, record in self._records.items()
            if not names.isdisjoint(record.targets)
        }
        own = changed.get(pulled.image.id) or self._records.get(pulled.image.id)
        targets = dict.fromkeys(names, pulled.target) | (own.targets if own else {})
        changed[pulled.image.id] = _renamed(ImageRecord(image=pulled.image, targets={}), targets)
        with self._database.transaction():
            for key, record in changed.items():
                self._table.put(key, record)
        self._records |= changed
        self._changed()

    def find(self, name: str) -> Image | None:
        """The image with that id, prefix of an id, tag, digest or short name; None when there is none.

        Raises InvalidArgument for an empty name and an ambiguous prefix.
        """
        record = lookup.find(self._records, name)
        return record.image if record is not None else None

    def get(self, name: str) -> Image:
        """As `find`, but raises NotFound."""
        image = self.find(name)
        if image is None:
            raise NotFound(f"image {name} is not on this node", hint=f"podwright pull {name}")
        return image

    def list(self) -> list[Image]:
        """All images, by their first name."""
        images = [record.image for record in self._records.values()]
        return sorted(images, key=lambda image: (*image.repo_tags[:1], *image.repo_digests[:1], image.id))

    async def remove(self, name: str) -> None:
        """Remove an image under all its names; an unknown one is fine. Layers in use stay until they are released.

        Raises InvalidArgument as `find` does.
        """
        record = lookup.find(self._records, name)
        if record is None:
            return
        self._table.delete(record.image.id)
        del self._records[record.image.id]
        log.info("image removed id=%s name=%s", record.image.id, name)
        await self._collect(_blobs_of(record), record.image.layers)
        self._changed()  # last: on a full disk the index finds room only now

    def hold(self, holder_id: str, *image_ids: str) -> tuple[tuple[str, ...], ...]:
        """Keep the layers of images for a holder, in the place of what it held, whatever happens to the images.

        Returns for each image the trees of its layers, top first, as an overlay wants them. Raises NotFound.
        """
        held = []
        for image_id in image_ids:
            record = self._records.get(image_id)
            if record is None:
                raise NotFound(f"image {image_id} is not on this node", hint="pull it again")
            held.append(record.image.layers)
        hold = Hold(layers=tuple(dict.fromkeys(layer for layers in held for layer in layers)))
        self._hold_table.put(holder_id, hold)
        self._holds[holder_id] = hold
        return tuple(tuple(map(self._layers.path, reversed(layers or (EMPTY,)))) for layers in held)

    def release(self, holder_id: str) -> None:
        """End a hold; an unknown one is fine. Layers that nobody needs any more are deleted in the background."""
        hold = self._holds.pop(holder_id, None)
        if hold is not None:
            self._hold_table.delete(holder_id)
            self._start(self._collect((), hold.layers), "delete released layers")

    async def fs_usage(self) -> FsUsage:
        """What blobs and layers take; at most USAGE_AGE_S old."""
        now = time.time_ns()
        if self._usage is None or now - self._usage.timestamp > USAGE_AGE_S * 1e9:
            blob_bytes, blob_inodes = await asyncio.to_thread(self._blobs.usage)
            layer_bytes, layer_inodes = self._layers.usage()
            self._usage = FsUsage(
                mountpoint=self._blobs.root,
                used_bytes=blob_bytes + layer_bytes,
                inodes_used=blob_inodes + layer_inodes,
                timestamp=now,
            )
        return self._usage

    async def reconcile(self) -> None:
        """At start: undo what a killed daemon left half-done, and mend what a power cut or a person took away."""
        self._blobs.clear_ingest()
        await self._layers.recover()
        for record in list(self._records.values()):
            if not await self._is_whole(record):
                log.warning("image lost id=%s names=%s", record.image.id, ",".join(record.targets))
                self._table.delete(record.image.id)
                del self._records[record.image.id]
        await self._collect(self._blobs.digests(), self._layers.ids())
        self._changed()

    async def _is_whole(self, record: ImageRecord) -> bool:
        """Whether all blobs are there; layers are unpacked again where they are not."""
        if any(self._blobs.size(digest) is None for digest in _blobs_of(record)):
            return False
        there = set(self._layers.ids())
        if there.issuperset(record.image.layers):
            return True
        name, target = next(iter(record.targets.items()))
        try:
            pulled = await self._puller.restore(target, reference.parse(name), Lease())
        except PodwrightError as failure:
            log.warning("image cannot be restored id=%s reason=%s", record.image.id, failure)
            return False
        restored = _renamed(ImageRecord(image=pulled.image, targets={}), record.targets)
        self._table.put(record.image.id, restored)
        self._records[record.image.id] = restored
        return True

    async def close(self) -> None:
        """Stop pulls, and let background work end."""
        await self._pulls.cancel()
        if self._background:
            await asyncio.wait(self._background)

    async def _collect(self, blobs: Iterable[str], layers: Iterable[str]) -> None:
        """Delete those of the candidates that no image, hold or pull needs."""
        records, holds = self._records.values(), self._holds.values()
        kept_blobs = {blob for record in records for blob in _blobs_of(record)}
        kept_layers = {layer for record in records for layer in record.image.layers}
        kept_layers |= {layer for hold in holds for layer in hold.layers}
        for lease in self._leases:
            kept_blobs |= lease.blobs
            kept_layers |= lease.layers
        self._usage = None
        await self._blobs.delete(set(blobs) - kept_blobs)
        await self._layers.remove(sorted(set(layers) - kept_layers))

    def _changed(self) -> None:
        """Derive from the records what others read."""
        self._usage = None
        self._blobs.write_index(
            [
                Listed(name, target.listed, target.listed_bytes)
                for record in self._records.values()
                for name, target in record.targets.items()
            ]
        )

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(self._guarded(work, name), name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except PodwrightError as failure:
            log.warning("background work failed work=%s reason=%s", name, failure)


def _renamed(record: ImageRecord, targets: dict[str, Target]) -> ImageRecord:
    """The record with these names."""
    image = msgspec.structs.replace(
        record.image,
        repo_tags=tuple(sorted(name for name in targets if "@" not in name)),
        repo_digests=tuple(sorted(name for name in targets if "@" in name)),
    )
    return ImageRecord(image=image, targets=targets)


def _blobs_of(record: ImageRecord) -> set[str]:
    return {blob for target in record.targets.values() for blob in target.blobs}
