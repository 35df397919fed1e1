"""The images of this node: pull, find, hold and remove.

`service` answers requests. `requests` has what is the same for all engines. `catalog` has the records (`records`) and
decides what may be deleted, `lookup` finds an image, and `trees` has the layers as overlayfs needs them. `pulling`
brings an image from its registry. `tools` are for administrators: load, save, push, verify, prune.
"""

from podwright.runtime.image.service import ImageService

__all__ = ["ImageService"]
