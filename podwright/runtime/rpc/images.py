"""CRI's ImageService: pull, status, list and removal of images, and ImageFsInfo."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import ImageEngine, StatsEngine
from podwright.runtime.model.image import FsUsage, Image, ImageConfig, RegistryAuth
from podwright.runtime.rpc.convert_base import info
from podwright.runtime.rpc.lists import ListReplies


class ImageRpcs:
    def __init__(self, images: ImageEngine, stats: StatsEngine, check_handler: Callable[[str], object]) -> None:
        """`check_handler` raises InvalidArgument for a runtime handler that is not configured."""
        self._images = images
        self._stats = stats
        self._check_handler = check_handler
        self._lists = ListReplies(
            images.list,
            lambda: tuple(images.list()),
            lambda image: api.ListImagesResponse(images=[image_message(image)]),
        )

    async def PullImage(self, request: api.PullImageRequest, _: Any) -> api.PullImageResponse:
        name = self._name(request.image)
        auth = _auth(request.auth) if request.HasField("auth") else None
        return api.PullImageResponse(image_ref=await self._images.pull(name, auth))

    async def ImageStatus(self, request: api.ImageStatusRequest, _: Any) -> api.ImageStatusResponse:
        image = self._images.find(self._name(request.image))
        if image is None:
            return api.ImageStatusResponse()
        verbose = info(_document(image)) if request.verbose else {}
        return api.ImageStatusResponse(image=image_message(image), info=verbose)

    async def ListImages(self, request: api.ListImagesRequest, _: Any) -> bytes:
        return self._lists.reply(self._matcher(request.filter))

    def StreamImages(self, request: api.StreamImagesRequest, _: Any) -> AsyncGenerator[bytes, None]:
        return self._lists.batches(self._matcher(request.filter))

    def _matcher(self, wanted: api.ImageFilter) -> Callable[[Image], bool] | None:
        """A predicate for the filter, or None without a filter."""
        if not wanted.image.image:
            return None
        found = self._images.find(self._name(wanted.image))
        return lambda image: found is not None and image.id == found.id

    async def RemoveImage(self, request: api.RemoveImageRequest, _: Any) -> api.RemoveImageResponse:
        await self._images.remove(self._name(request.image))
        return api.RemoveImageResponse()

    async def ImageFsInfo(self, _request: api.ImageFsInfoRequest, _: Any) -> api.ImageFsInfoResponse:
        images = await self._images.fs_usage()
        layers = await self._stats.layers_usage() or images
        return api.ImageFsInfoResponse(
            image_filesystems=[_filesystem(images)], container_filesystems=[_filesystem(layers)]
        )

    def _name(self, spec: api.ImageSpec) -> str:
        """The name of the image in the request. Raises InvalidArgument for a missing name or an unknown handler.

        Images do not depend on a handler here, so the handler only has to exist.
        """
        if not spec.image:
            raise InvalidArgument("image.image is missing")
        if spec.runtime_handler:
            self._check_handler(spec.runtime_handler)
        return spec.image


def _filesystem(usage: FsUsage) -> api.FilesystemUsage:
    return api.FilesystemUsage(
        timestamp=usage.timestamp,
        fs_id=api.FilesystemIdentifier(mountpoint=usage.mountpoint),
        used_bytes=api.UInt64Value(value=usage.used_bytes),
        inodes_used=api.UInt64Value(value=usage.inodes_used),
    )


def _auth(message: api.AuthConfig) -> RegistryAuth:
    return RegistryAuth(
        username=message.username,
        password=message.password,
        auth=message.auth,
        server_address=message.server_address,
        identity_token=message.identity_token,
        registry_token=message.registry_token,
    )


def image_message(image: Image) -> api.Image:
    """CRI's Image."""
    message = api.Image(
        id=image.id,
        repo_tags=image.repo_tags,
        repo_digests=image.repo_digests,
        size=image.size_bytes,
        username=image.username,
        spec=api.ImageSpec(image=image.id, annotations=image.annotations),
        pinned=image.pinned,
    )
    if image.uid is not None:
        message.uid.value = image.uid
    return message


def _oci_config(config: ImageConfig) -> dict[str, Any]:
    """The config under the names that the image's own document uses (OCI image-spec, config.md)."""
    fields = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": config.env,
        "Entrypoint": config.entrypoint,
        "Cmd": config.cmd,
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.working_dir,
        "Labels": config.labels,
        "StopSignal": config.stop_signal,
    }
    return {key: value for key, value in fields.items() if value}


def _document(image: Image) -> dict[str, Any]:
    """The verbose document."""
    return {
        "chainID": image.chain_id,
        "imageSpec": {"config": _oci_config(image.config)},
        "layers": list(image.layers),
    }
