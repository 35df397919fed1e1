"""An image's layers in the form that overlayfs needs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class ImageTree(NamedTuple):
    """Directories for overlayfs.

    `layers` are the lower directories, top first. `root` is the one whose mode and owner `/` has. overlayfs itself
    takes them from the topmost directory, which is an upper directory, or usually does not describe `/`.
    """

    layers: tuple[str, ...]
    root: str


def of_layers(
    layer_ids: Sequence[str], path: Callable[[str], str], describes_root: Callable[[str], bool]
) -> ImageTree:
    """The tree of these layers (at least one, base first). `path` returns the path of a layer.

    A layer that occurs several times is used once, because overlayfs refuses duplicates (ELOOP). The topmost
    occurrence stays, because it shows and hides whatever the others do.

    `/` has the attributes from the lowest layer that describes it. Higher layers that do were mostly packed by `tar
    -C folder .` and describe a build folder. If no layer does, the base has the usual mode and owner.
    """
    root = next(filter(describes_root, layer_ids), layer_ids[0])
    return ImageTree(tuple(map(path, dict.fromkeys(reversed(layer_ids)))), path(root))
