"""LoadImage and SaveImage, and whatever else people who look after a node's images need: podwright.v1.ImageStore."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from podwright.api.v1 import images_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.image.loading import Loader
from podwright.runtime.image.saving import ArchiveFormat, Saver

FORMATS: dict[int, ArchiveFormat] = {api.OCI_ARCHIVE: "oci-archive", api.DOCKER_ARCHIVE: "docker-archive"}


class ImageStoreRpcs:
    """The family."""

    def __init__(self, loader: Loader, saver: Saver) -> None:
        self._loader = loader
        self._saver = saver

    async def LoadImage(
        self, requests: AsyncIterator[api.LoadImageRequest | InvalidArgument], _: Any
    ) -> api.LoadImageResponse:
        first = await anext(aiter(requests), None)
        if first is None:
            raise InvalidArgument("no archive was sent")
        if isinstance(first, InvalidArgument):
            raise first
        images = await self._loader.load(_chunks(first, requests), first.name)
        return api.LoadImageResponse(images=[api.LoadedImage(id=key, names=names) for key, names in images])

    async def SaveImage(self, request: api.SaveImageRequest, _: Any) -> AsyncGenerator[api.SaveImageResponse, None]:
        form = FORMATS.get(request.format)
        if form is None:
            raise InvalidArgument(f"format {request.format} is not known")
        async with contextlib.aclosing(self._saver.save(list(request.images), form)) as pieces:
            async for piece in pieces:
                yield api.SaveImageResponse(data=piece)


async def _chunks(
    first: api.LoadImageRequest, rest: AsyncIterator[api.LoadImageRequest | InvalidArgument]
) -> AsyncIterator[bytes]:
    yield first.data
    async for request in rest:
        if isinstance(request, InvalidArgument):
            raise request
        yield request.data
