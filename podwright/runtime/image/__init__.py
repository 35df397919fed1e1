"""The images of this node: pull, find, hold and remove. See `service`."""

from podwright.runtime.image.service import ImageService

__all__ = ["ImageService"]
