"""What `ensure` gives."""

from __future__ import annotations

import msgspec

from podwright.agent.runtime.records import ImageStatus


class EnsuredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is there. `reference` is what the container is made of."""

    reference: str
    image: ImageStatus
