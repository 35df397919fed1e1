"""The Engine's images: found, pulled and removed.

Lists are answered from a copy. It is read anew after every change of our own, and when the Engine tells of another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError
from podwright.runtime.config import ImageSettings
from podwright.runtime.engines.docker import image_values
from podwright.runtime.engines.docker.api.shapes import shaped
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.pause import PauseImage
from podwright.runtime.image.requests import ImageRequests, by_name
from podwright.runtime.insisting import insist
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import FsUsage, Image, RegistryAuth
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.single_flight import SingleFlight
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

USAGE_AGE_S = 30.0  # measuring walks the containers' files in engines before 23
CONCURRENT = 8  # inspections at once


class EngineImages(ImageRequests):
    """The images of this node. Call `refresh` before anything else."""

    def __init__(self, host: EngineHost, settings: ImageSettings, logins: DaemonLogins, pause: PauseImage) -> None:
        super().__init__()
        self._host = host
        self._settings = settings
        self._logins = logins
        self._pause = pause
        self._images: dict[ImageId, Image] = {}
        self._removals: SingleFlight[ImageId, None] = SingleFlight("remove image")
        self._reading = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._tasks = Tasks()
        self._usage: tuple[float, FsUsage] | None = None

    async def ensure_pause(self) -> str:
        """The name of the image for first processes, which is loaded if it is not there."""
        if self.find(self._pause.name) is None:
            await self.load(_once(self._pause.archive))
        return self._pause.name

    def start(self) -> None:
        """Read images anew whenever `note_change` was called."""
        self._tasks.start(self._follow(), name="images of the Docker Engine")

    def note_change(self) -> None:
        """The Engine tells that an image has changed."""
        self._wanted.set()

    async def _follow(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await insist(self.refresh, "reading the Docker Engine's images")

    async def refresh(self) -> None:
        """Read the images anew. Raises as EngineHost does."""
        async with self._reading:
            listed = await self._host.client.get("/images/json", "list images", {"digests": "1"})
            with shaped("list images"):
                entries = msgspec.convert(listed, list[image_values.ListedImage])
            slots = asyncio.Semaphore(CONCURRENT)
            found = await asyncio.gather(*(self._image(entry, slots) for entry in entries))
            self._images = {image.id: image for image in found if image is not None}

    async def _image(self, entry: image_values.ListedImage, slots: asyncio.Semaphore) -> Image | None:
        """The image of an entry of the list. What never changes is not asked again."""
        image_id = ImageId(entry.Id)
        known = self._images.get(image_id)
        if known is None:
            what = f"inspect image {image_id}"
            async with slots:
                try:
                    inspected = await self._host.client.get(f"/images/{image_id}/json", what)
                except NotFound:
                    return None
            with shaped(what):
                known = image_values.image_of(inspected)
        tags = image_values.whole_names(entry.RepoTags or ())
        pinned = self._pause.name in tags or image_values.is_pinned(tags, self._settings.pinned)
        digests = image_values.whole_names(entry.RepoDigests or ())
        return msgspec.structs.replace(known, repo_tags=tags, repo_digests=digests, pinned=pinned)

    # -- look-up

    def find(self, name: str) -> Image | None:
        """The image with that id, prefix of an id, tag, digest or short name, or None. Raises InvalidArgument."""
        return image_values.find(list(self._images.values()), name)

    def runnable(self, name: str) -> Image:
        """As `find`, but raises NotFound."""
        image = self.find(name)
        if image is None:
            raise NotFound(f"image {name} is not in the Docker Engine", hint=f"podwright pull {name}")
        return image

    def list(self) -> list[Image]:
        """All images, by their first name."""
        return by_name(self._images.values())

    # -- changes

    async def _pull(self, whole: ImageReference, auth: RegistryAuth | None) -> ImageId:
        auth = auth or await self._own_login(whole)
        with self._tracker.pull(str(whole)):
            await self._fetch(whole, auth)
        await self.refresh()
        image = self.find(str(whole))
        if image is None:
            raise FailedPrecondition(f"image {whole} was removed from the Docker Engine during its pull")
        log.info("image pulled: name=%s id=%s", whole, image.id)
        return image.id

    async def _fetch(self, whole: ImageReference, auth: RegistryAuth | None) -> None:
        answers = self._host.client.documents(
            "POST",
            "/images/create",
            f"pull {whole}",
            query=image_values.pull_query(whole),
            headers=image_values.auth_header(auth, whole.host),
        )
        try:
            async for answer in answers:
                if text := answer.get("error"):
                    raise image_values.pull_failure(str(whole), str(text))
        except PodwrightError as failure:
            if isinstance(failure, InvalidArgument) or str(failure).startswith("RegistryUnavailable"):
                raise
            raise image_values.pull_failure(str(whole), failure.message) from failure

    async def _own_login(self, whole: ImageReference) -> RegistryAuth | None:
        """The daemon's own credentials, for a request without."""
        found = await self._logins.find(whole.host, whole.repository)
        if found.username:
            return RegistryAuth(username=found.username, password=found.secret)
        return RegistryAuth(identity_token=found.secret) if found.secret else None

    async def remove(self, name: str) -> None:
        """Remove an image with all its names. An unknown one succeeds. What containers use stays until they go.

        Raises InvalidArgument as `find` does.
        """
        image = self.find(name)
        if image is not None:  # equal removals share one job: the Engine fails all of several but the first
            await self._removals.join(image.id, lambda: self._remove(image, name))

    async def _remove(self, image: Image, name: str) -> None:
        for target in (*image.repo_tags, *image.repo_digests, image.id):
            try:
                await self._host.client.delete(f"/images/{target}", f"remove image {target}", {"force": "1"})
            except FailedPrecondition as used:  # by a container: without names it goes when the image is pruned
                log.info("image stays in the Docker Engine: name=%s error=%s", target, used)
        await self.refresh()
        log.info("image removed: id=%s name=%s", image.id, name)

    async def load(self, archive: AsyncGenerator[bytes, None]) -> None:
        """Load an archive of `docker save`. Raises RuntimeFailed for what the Engine does not take."""
        answers = self._host.client.documents("POST", "/images/load", "load images", data=archive)
        async for answer in answers:
            if text := answer.get("error"):
                raise InvalidArgument(f"the Docker Engine does not load the archive: {text}")
        await self.refresh()

    # -- disk

    async def fs_usage(self) -> FsUsage:
        """The disk usage of all images, USAGE_AGE_S old at most."""
        now = time.monotonic()
        if self._usage is None or now - self._usage[0] > USAGE_AGE_S:
            facts = self._host.facts
            found = await self._host.client.get("/system/df", "measure images", {"type": "image"})
            with shaped("measure images"):
                used_bytes = int(found.get("LayersSize") or 0)
            folder = f"{facts.root}/{facts.storage}"
            usage = FsUsage(
                mountpoint=folder if os.path.isdir(folder) else facts.root,
                used_bytes=used_bytes,
                inodes_used=await asyncio.to_thread(_inodes, facts.root),
                timestamp=time.time_ns(),
            )
            self._usage = (now, usage)
        return self._usage[1]

    async def close(self) -> None:
        """Stop pulls, whose callers are gone."""
        await self._pulls.cancel()
        await self._removals.cancel()
        await self._tasks.close()


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


def _inodes(folder: str) -> int:
    """The inodes in use on the filesystem, of which the Engine counts none: more than the images have."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_files - found.f_ffree
