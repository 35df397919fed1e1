"""What administrators do with the Engine's images beyond CRI: load, save, push, account, prune."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from urllib.parse import urlencode

from podwright.errors import InvalidArgument, NotFound, RuntimeFailed
from podwright.runtime.engines.docker import image_values
from podwright.runtime.engines.docker.api.shapes import shaped
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.images import EngineImages
from podwright.runtime.engines.docker.missing import unimplemented
from podwright.runtime.model.container import Container
from podwright.runtime.model.image import Image, RegistryAuth
from podwright.runtime.model.image_store import (
    Accounts,
    ArchiveFormat,
    Damage,
    ImageAccount,
    Pushed,
    VerifySummary,
)
from podwright.runtime.registry import reference
from podwright.runtime.state import Store


class EngineImageTools:
    """An ImageStoreEngine."""

    def __init__(self, host: EngineHost, images: EngineImages, containers: Store[Container]) -> None:
        self._host = host
        self._images = images
        self._containers = containers

    async def load(self, chunks: AsyncIterator[bytes], name: str) -> list[tuple[str, list[str]]]:
        """Load an archive of `docker save`. Returns the new images and names. Raises InvalidArgument.

        A name for what is loaded cannot be given: the archive has names.
        """
        if name:
            raise unimplemented("an archive cannot be loaded under another name", "tag it with `docker tag`")
        before = {image.id: {*image.repo_tags} for image in self._images.list()}
        await self._images.load(_generator(chunks))
        return [
            (image.id, sorted({*image.repo_tags} - before.get(image.id, set())))
            for image in self._images.list()
            if image.id not in before or {*image.repo_tags} - before[image.id]
        ]

    async def save(self, names: Sequence[str], form: ArchiveFormat) -> AsyncGenerator[bytes, None]:
        """An archive of images. Raises NotFound, and Unimplemented for another form than the Engine's."""
        if form != "docker-archive":
            raise unimplemented(f"images cannot be saved as {form}", "save a docker-archive")
        found = [self._get(name) for name in names]
        query = urlencode([("names", image.repo_tags[0] if image.repo_tags else image.id) for image in found])
        async for piece in self._host.client.content(f"/images/get?{query}", "save images"):
            yield piece

    async def push(self, name: str, destination: str, auth: RegistryAuth | None) -> Pushed:
        """Push an image under a name. Raises NotFound, InvalidArgument, PermissionDenied and RuntimeFailed."""
        image = self._get(name)
        target = reference.parse(destination or name)
        if not target.tag:
            raise InvalidArgument(f"push {target}: the destination must be a tag")
        had_name = str(target) in image.repo_tags
        query = {"repo": target.name, "tag": target.tag}
        await self._host.client.post(f"/images/{image.id}/tag", f"tag {target}", query=query)
        try:
            digest = await self._push(target, auth)
        finally:
            if not had_name:
                await self._host.client.delete(f"/images/{target}", f"untag {target}")
            await self._images.refresh()
        return Pushed(
            reference=str(target), digest=digest, uploaded_blobs=0, uploaded_bytes=0, mounted_blobs=0, present_blobs=0
        )

    async def _push(self, target: reference.ImageReference, auth: RegistryAuth | None) -> str:
        headers = image_values.auth_header(auth, target.host) or {"X-Registry-Auth": "e30="}  # the field is required
        digest = ""
        answers = self._host.client.documents(
            "POST", f"/images/{target.name}/push", f"push {target}", query={"tag": target.tag}, headers=headers
        )
        async for answer in answers:
            if text := answer.get("error"):
                raise image_values.pull_failure(f"(push) {target}", str(text))
            with shaped(f"push {target}"):
                digest = str((answer.get("aux") or {}).get("Digest") or digest)
        if not digest:
            raise RuntimeFailed(f"push {target}: the Docker Engine does not say under which digest")
        return digest

    def verify(self, *_: object, **__: object) -> AsyncGenerator[Damage | VerifySummary, None]:
        """Raises Unimplemented: the Engine does not compare its layers with anything."""
        raise unimplemented("images cannot be verified")

    async def accounts(self) -> Accounts:
        """The disk usage of images. The Engine does not tell what images share."""
        usage = await self._images.fs_usage()
        holders = Counter(container.image_id for container in self._containers)
        images = self._images.list()
        unused = [image for image in images if not holders[image.id] and not image.pinned]
        return Accounts(
            images=tuple(
                ImageAccount(image=image, size_bytes=image.size_bytes, shared_bytes=0, containers=holders[image.id])
                for image in images
            ),
            blob_bytes=0,
            layer_bytes=usage.used_bytes,
            prunable_untagged_bytes=sum(image.size_bytes for image in unused if not image.repo_tags),
            prunable_bytes=sum(image.size_bytes for image in unused),
        )

    async def prune(self, *, everything: bool, dry_run: bool) -> tuple[list[Image], int]:
        """Remove images that no container of ours uses: those without a tag, or all."""
        holders = {container.image_id for container in self._containers}
        chosen = [
            image
            for image in self._images.list()
            if image.id not in holders and not image.pinned and (everything or not image.repo_tags)
        ]
        for image in () if dry_run else chosen:
            await self._images.remove(image.id)
        return chosen, sum(image.size_bytes for image in chosen)

    def _get(self, name: str) -> Image:
        image = self._images.find(name)
        if image is None:
            raise NotFound(f"image {name} is not in the Docker Engine", hint=f"podwright pull {name}")
        return image


async def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        yield chunk
