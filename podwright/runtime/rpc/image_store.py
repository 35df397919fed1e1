"""podwright.v1.ImageStore: load, save, push, verify, disk usage and prune, for administrators of a node's images."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from podwright.api import LISTENING
from podwright.api.v1 import images_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import ImageStoreEngine, StatsEngine
from podwright.runtime.model.image import Image, RegistryAuth
from podwright.runtime.model.image_store import ArchiveFormat, ImageAccount, VerifySummary

FORMATS: dict[int, ArchiveFormat] = {api.OCI_ARCHIVE: "oci-archive", api.DOCKER_ARCHIVE: "docker-archive"}


class ImageStoreRpcs:
    def __init__(self, store: ImageStoreEngine, stats: StatsEngine) -> None:
        self._store = store
        self._stats = stats

    async def LoadImage(
        self, requests: AsyncIterator[api.LoadImageRequest | InvalidArgument], context: Any
    ) -> api.LoadImageResponse:
        await context.send_initial_metadata(((LISTENING, "1"),))
        try:
            return await self._load(requests)
        finally:
            async for _ in requests:  # gRPC loses a refusal that overtakes the archive: see LISTENING
                pass

    async def _load(self, requests: AsyncIterator[api.LoadImageRequest | InvalidArgument]) -> api.LoadImageResponse:
        first = await anext(aiter(requests), None)
        if first is None:
            raise InvalidArgument("no archive was sent")
        if isinstance(first, InvalidArgument):
            raise first
        images = await self._store.load(_chunks(first, requests), first.name)
        return api.LoadImageResponse(images=[api.LoadedImage(id=key, names=names) for key, names in images])

    async def SaveImage(self, request: api.SaveImageRequest, _: Any) -> AsyncGenerator[api.SaveImageResponse, None]:
        form = FORMATS.get(request.format)
        if form is None:
            raise InvalidArgument(f"format {request.format} is not known")
        async with contextlib.aclosing(self._store.save(list(request.images), form)) as pieces:
            async for piece in pieces:
                yield api.SaveImageResponse(data=piece)

    async def PushImage(self, request: api.PushImageRequest, _: Any) -> api.PushImageResponse:
        given = request.credentials
        auth = RegistryAuth(username=given.username, password=given.password, identity_token=given.identity_token)
        pushed = await self._store.push(request.image, request.destination, auth or None)
        return api.PushImageResponse(**msgspec.structs.asdict(pushed))

    async def VerifyImages(
        self, request: api.VerifyImagesRequest, _: Any
    ) -> AsyncGenerator[api.VerifyImagesResponse, None]:
        findings = self._store.verify(list(request.images), repair=request.repair)
        async with contextlib.aclosing(findings):
            async for finding in findings:
                if isinstance(finding, VerifySummary):
                    yield api.VerifyImagesResponse(summary=api.VerifySummary(**msgspec.structs.asdict(finding)))
                else:
                    yield api.VerifyImagesResponse(damage=api.Damage(**msgspec.structs.asdict(finding)))

    async def DiskUsage(self, _request: api.DiskUsageRequest, _: Any) -> api.DiskUsageResponse:
        accounts = await self._store.accounts()
        written = await self._stats.written()
        return api.DiskUsageResponse(
            images=[image_usage(one) for one in accounts.images],
            containers=[
                api.ContainerUsage(
                    id=container.id,
                    name=container.config.name,
                    image_id=container.image_id,
                    writable_bytes=size,
                )
                for container, size in written
            ],
            blob_bytes=accounts.blob_bytes,
            layer_bytes=accounts.layer_bytes,
            prunable_untagged_bytes=accounts.prunable_untagged_bytes,
            prunable_bytes=accounts.prunable_bytes,
        )

    async def PruneImages(self, request: api.PruneImagesRequest, _: Any) -> api.PruneImagesResponse:
        images, freed_bytes = await self._store.prune(everything=request.all, dry_run=request.dry_run)
        return api.PruneImagesResponse(
            images=[api.LoadedImage(id=image.id, names=names(image)) for image in images], freed_bytes=freed_bytes
        )


def image_usage(account: ImageAccount) -> api.ImageUsage:
    """One image of DiskUsage."""
    return api.ImageUsage(
        id=account.image.id,
        names=names(account.image),
        size_bytes=account.size_bytes,
        shared_bytes=account.shared_bytes,
        pinned=account.image.pinned,
        containers=account.containers,
    )


def names(image: Image) -> list[str]:
    """The tags of the image, or its digests if it has no tag."""
    return list(image.repo_tags or image.repo_digests)


async def _chunks(
    first: api.LoadImageRequest, rest: AsyncIterator[api.LoadImageRequest | InvalidArgument]
) -> AsyncIterator[bytes]:
    yield first.data
    async for request in rest:
        if isinstance(request, InvalidArgument):
            raise request
        yield request.data
