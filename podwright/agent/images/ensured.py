"""What `ensure` gives."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.agent.runtime.records import ImageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsuredImage:
    """An image that is there. `reference` is what the container is made of."""

    reference: str
    image: ImageStatus
