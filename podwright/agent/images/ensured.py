"""The result of `ImageManager.ensure`."""

from __future__ import annotations

import msgspec

from podwright.agent.runtime.records import ImageStatus


class EnsuredImage(msgspec.Struct, frozen=True, kw_only=True):
    """A present image. `reference` is what the container is created with."""

    reference: str
    image: ImageStatus
