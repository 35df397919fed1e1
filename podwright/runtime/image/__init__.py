"""The images of this node: pull, find, hold and remove.

`service` is that. `catalog` has the records (`records`) and decides what may be deleted, `lookup` finds an image.

A pull: `policy`, `signatures` (`simple_signing`), `pull` with its steps, `documents`, `fetch`, `describe`, `progress`.
`trees` has the layers as overlayfs needs them, `refetch` gets dropped blobs again. For administrators `tools`:
`loading`, `saving`, `pushing`, `verifying`, `accounts`.
"""

from podwright.runtime.image.service import ImageService

__all__ = ["ImageService"]
