"""The images of this node: pulling, finding, holding and removing them. See `service`."""

from podwright.runtime.image.service import ImageService

__all__ = ["ImageService"]
