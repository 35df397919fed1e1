"""What an image's layers give to whoever mounts them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class ImageTree(NamedTuple):
    """Directories for overlayfs.

    `layers` are the lower directories, top first. `root` is the one of them whose mode and owner are those of `/`:
    overlayfs itself takes them from the topmost directory, which is an upper one or most often says nothing of `/`.
    """

    layers: tuple[str, ...]
    root: str


def of_layers(
    layer_ids: Sequence[str], path: Callable[[str], str], describes_root: Callable[[str], bool]
) -> ImageTree:
    """The tree of these layers (at least one, from the base up), each of which has a `path`.

    A layer that the image has several times is there once: overlayfs refuses one directory twice (ELOOP). The topmost
    one stays, since it holds and hides whatever the others hold and hide.

    `/` is as the lowest layer says that describes it. Higher ones that do were mostly packed by `tar -C folder .`,
    and describe somebody's build folder. If none does, the base was made with the usual mode and owner.
    """
    root = next(filter(describes_root, layer_ids), layer_ids[0])
    return ImageTree(tuple(map(path, dict.fromkeys(reversed(layer_ids)))), path(root))
