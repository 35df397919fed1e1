"""Fetches one layer: download, check, unpack and store, in parallel, or only the missing steps."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from podwright.errors import FailedPrecondition, NotFound, ResourceExhausted
from podwright.runtime.image.pulling.progress import LayerProgress
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.storage.blobs import BlobStore, DigestMismatch, Ingest, open_blob
from podwright.runtime.storage.layers import LayerStore, Unpacked
from podwright.runtime.storage.unpacking import BadLayer, DownloadEnded, Marks
from podwright.tasks import retrieve

Result = TypeVar("Result")


class WantedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of the image called `image`.

    `below` returns the ids of the layers under it as soon as they are stored.
    """

    image: str
    descriptor: Descriptor
    diff_id: str
    chain_id: str
    below: Callable[[], Awaitable[Sequence[str]]]
    progress: LayerProgress


class _Sink:
    """Writes to the store, and reports progress to the unpack program and to watchers."""

    def __init__(self, ingest: Ingest, marks: Marks, progress: LayerProgress) -> None:
        self._ingest = ingest
        self._marks = marks
        self._progress = progress

    @property
    def written_bytes(self) -> int:
        return self._ingest.written_bytes

    async def write(self, data: bytes | bytearray) -> None:
        await self._ingest.write(data)
        self._marks.advance(self._ingest.written_bytes)
        self._progress.done_bytes = self._ingest.written_bytes

    def end(self) -> None:
        """Report the end of the data."""
        self._marks.end()

    async def commit(self) -> None:
        """Store the complete blob. Raises as `Ingest.commit` does."""
        await self._ingest.commit()


class LayerFetcher:
    """Connects the registry client with the two stores, for layers."""

    def __init__(self, blobs: BlobStore, layers: LayerStore, *, keep_blobs: bool) -> None:
        self._blobs = blobs
        self._layers = layers
        self._keep_blobs = keep_blobs
        # One at a time per blob. A second pull then finds the blob, or tries with its own credentials.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def look(self, descriptor: Descriptor, progress: LayerProgress) -> None:
        """Report to watchers what is already stored."""
        if self._blobs.size(descriptor.digest) == descriptor.size:
            progress.done_bytes = descriptor.size

    async def fetch(self, client: Client | None, wanted: WantedLayer) -> str:
        """The id of the unpacked layer. Without a client, the blob must be stored.

        Raises FailedPrecondition (hostile, damaged), ResourceExhausted, and what the client raises.
        """
        async with self._alone_with(wanted.image, wanted.descriptor):
            layer_id = await self._fetch_missing(client, wanted)
        wanted.progress.finish()
        return layer_id

    async def store(self, client: Client | None, image: str, descriptor: Descriptor, progress: LayerProgress) -> None:
        """Fetch a blob without unpacking it. Raises as `fetch` does."""
        async with self._alone_with(image, descriptor):
            if self._blobs.size(descriptor.digest) != descriptor.size:
                await self._until_right(client, descriptor, functools.partial(self._store, descriptor, progress))
        progress.finish()

    @contextlib.asynccontextmanager
    async def _alone_with(self, image: str, descriptor: Descriptor) -> AsyncIterator[None]:
        lock = self._locks.setdefault(descriptor.digest, asyncio.Lock())
        try:
            async with lock:
                yield
        except NotFound as failure:
            if not descriptor.is_foreign:
                raise
            raise FailedPrecondition(
                f"{image}: layer {descriptor.digest} is of the type {descriptor.media_type}, which registries need not"
                f" hold: {failure.message}",
                hint="pull the image from a registry that has it, or push it with its layers to your own registry",
            ) from failure
        except (FailedPrecondition, ResourceExhausted) as failure:
            message = f"{image}: layer {descriptor.digest}: {failure.message}"
            raise type(failure)(message, hint=failure.hint) from failure

    async def _fetch_missing(self, client: Client | None, wanted: WantedLayer) -> str:
        descriptor = wanted.descriptor
        there = self._layers.find(wanted.diff_id, wanted.chain_id)
        if there is not None and not self._keep_blobs:
            return there
        if self._blobs.size(descriptor.digest) == descriptor.size:
            return there or await self._unpack_stored(wanted)
        if there is None:
            return await self._until_right(client, descriptor, functools.partial(self._download_and_unpack, wanted))
        await self._until_right(client, descriptor, functools.partial(self._store, descriptor, wanted.progress))
        return there

    async def _until_right(
        self, client: Client | None, descriptor: Descriptor, bring: Callable[[Client], Awaitable[Result]]
    ) -> Result:
        """The result of `bring`. Tries other servers as long as the bytes are wrong."""
        if client is None:
            raise FailedPrecondition("its blob is not in the store")
        while True:
            try:
                return await bring(client)
            except DigestMismatch:
                if not client.distrust(descriptor.digest):
                    raise

    async def _store(self, descriptor: Descriptor, progress: LayerProgress, client: Client) -> None:
        with self._blobs.ingest(descriptor.digest, descriptor.size) as ingest, Marks() as marks:
            await self._download(client, descriptor, _Sink(ingest, marks, progress))

    async def _unpack_stored(self, wanted: WantedLayer) -> str:
        descriptor = wanted.descriptor
        with open_blob(self._blobs.path(descriptor.digest)) as fd, Marks() as marks:
            marks.end()
            async with self._layers.unpacked(fd, marks, descriptor.size, wanted.diff_id) as unpacked:
                return await self._keep(unpacked, wanted)

    async def _download_and_unpack(self, wanted: WantedLayer, client: Client) -> str:
        descriptor = wanted.descriptor
        with self._blobs.ingest(descriptor.digest, descriptor.size) as ingest, Marks() as marks:
            sink = _Sink(ingest, marks, wanted.progress)
            download = asyncio.create_task(
                self._download(client, descriptor, sink), name=f"download {descriptor.digest}"
            )
            try:
                async with self._layers.unpacked(ingest.fd, marks, descriptor.size, wanted.diff_id) as unpacked:
                    await download
                    return await self._keep(unpacked, wanted)
            except (BadLayer, DigestMismatch, DownloadEnded):
                await download  # if the bytes were wrong, its failure is the cause
                raise
            finally:
                await _ended(download)

    async def _download(self, client: Client, descriptor: Descriptor, sink: _Sink) -> None:
        try:
            await client.blob(descriptor, sink)
        finally:
            sink.end()
        await sink.commit()

    async def _keep(self, unpacked: Unpacked, wanted: WantedLayer) -> str:
        below = await wanted.below() if unpacked.report.implicit else ()
        return await self._layers.commit(unpacked, wanted.chain_id, below)


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel the task if it runs, and wait for its end, because it writes to descriptors that we close."""
    task.cancel()
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    retrieve(task)
