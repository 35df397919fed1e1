"""What administrators do with a node's images beyond CRI: load, save, push, verify, account, prune.

Each of them has a module of its own. `ImageTools` joins them for the gRPC edge.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from podwright.process import ProcessRunner
from podwright.runtime.config import Config
from podwright.runtime.image.service import ImageService
from podwright.runtime.image.tools.accounts import Accountant
from podwright.runtime.image.tools.loading import Loader
from podwright.runtime.image.tools.pushing import Pusher
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.saving import Saver
from podwright.runtime.image.tools.verifying import Verifier
from podwright.runtime.model.image import Image, RegistryAuth
from podwright.runtime.model.image_store import Accounts, ArchiveFormat, Damage, Pushed, VerifySummary


class ImageTools:
    """An ImageStoreEngine on the images of one service."""

    def __init__(self, images: ImageService, config: Config, runner: ProcessRunner) -> None:
        catalog = images.catalog
        refetcher = Refetcher(catalog.blobs, config.registry, runner)
        self._loader = Loader(images, config.images, runner)
        self._saver = Saver(catalog, refetcher)
        self._pusher = Pusher(catalog, refetcher, config.registry, runner)
        self._verifier = Verifier(catalog, refetcher, keep_blobs=config.images.keep_blobs)
        self._accountant = Accountant(catalog)

    async def load(self, chunks: AsyncIterator[bytes], name: str) -> list[tuple[str, list[str]]]:
        """As `Loader.load`."""
        return await self._loader.load(chunks, name)

    def save(self, names: Sequence[str], form: ArchiveFormat) -> AsyncGenerator[bytes, None]:
        """As `Saver.save`."""
        return self._saver.save(names, form)

    async def push(self, name: str, destination: str, auth: RegistryAuth | None) -> Pushed:
        """As `Pusher.push`."""
        return await self._pusher.push(name, destination, auth)

    def verify(self, names: Sequence[str], *, repair: bool) -> AsyncGenerator[Damage | VerifySummary, None]:
        """As `Verifier.verify`."""
        return self._verifier.verify(names, repair=repair)

    async def accounts(self) -> Accounts:
        """As `Accountant.accounts`."""
        return await self._accountant.accounts()

    async def prune(self, *, everything: bool, dry_run: bool) -> tuple[list[Image], int]:
        """As `Accountant.prune`."""
        return await self._accountant.prune(everything=everything, dry_run=dry_run)
