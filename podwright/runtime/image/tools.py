"""What people who look after a node's images can do with them, beside what CRI offers: one object for each."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.process import ProcessRunner
from podwright.runtime.config import Config
from podwright.runtime.image.accounts import Accountant
from podwright.runtime.image.loading import Loader
from podwright.runtime.image.pushing import Pusher
from podwright.runtime.image.refetch import Refetcher
from podwright.runtime.image.saving import Saver
from podwright.runtime.image.service import ImageService
from podwright.runtime.image.verifying import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTools:
    """All of them, on the images of one service."""

    loader: Loader
    saver: Saver
    pusher: Pusher
    verifier: Verifier
    accountant: Accountant


def make(images: ImageService, config: Config, runner: ProcessRunner) -> ImageTools:
    """The tools for these images."""
    catalog = images.catalog
    refetcher = Refetcher(catalog.blobs, config.registry, runner)
    return ImageTools(
        loader=Loader(images, config.images, runner),
        saver=Saver(catalog, refetcher),
        pusher=Pusher(catalog, refetcher, config.registry, runner),
        verifier=Verifier(catalog, refetcher, keep_blobs=config.images.keep_blobs),
        accountant=Accountant(catalog),
    )
