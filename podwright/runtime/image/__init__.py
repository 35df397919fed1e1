"""The images of this node: pull, find, hold and remove.

`service` is that. `catalog` has the records (`records`) and decides what may be deleted, `lookup` finds an image, and
`trees` has the layers as overlayfs needs them. `pulling` brings an image from its registry. `tools` are for
administrators: load, save, push, verify, prune.
"""

from podwright.runtime.image.service import ImageService

__all__ = ["ImageService"]
