"""Makes and removes a container's directories and root filesystem on the host.

The calls block, so the service runs them in a thread. `unmake` undoes any part of `make`, also after a crash.
"""

from __future__ import annotations

import os

import msgspec

from podwright.linux import mount, openat2
from podwright.linux.files import make_private, remove_tree
from podwright.runtime.container import image_mounts, staging
from podwright.runtime.container.paths import ContainerPaths
from podwright.runtime.image.trees import ImageTree

PASSWD_LIMIT_BYTES = 4 * 1024 * 1024


class RestoredContent(msgspec.Struct, frozen=True, kw_only=True):
    """Directories of a checkpointed container that a restored one takes over. They are moved to the new place."""

    upper: str  # the writable layer of its root
    images: str  # CRIU's image files


def make(
    paths: ContainerPaths,
    image: ImageTree,
    *,
    group: int = 0,
    label: str = "",
    restored: RestoredContent | None = None,
) -> None:
    """Create the directories and mount the root over the image's layers. Raises OSError.

    `group` is the host's id of the pod's root group. `label` is the SELinux label of the root's files.
    """
    make_private(paths.bundle, group=group)
    os.mkdir(paths.rootfs, 0o711)
    os.makedirs(paths.storage, mode=0o711)
    if restored is not None:
        os.rename(restored.upper, paths.upper)
        os.rename(restored.images, paths.checkpoint)
    else:
        os.mkdir(paths.upper, 0o711)
    os.mkdir(paths.work, 0o700)
    image_mounts.mount_writable(image, paths.rootfs, upper=paths.upper, work=paths.work, label=label)


def is_whole(paths: ContainerPaths) -> bool:
    """Whether the container can be started: its spec and its root exist."""
    return os.path.exists(paths.spec) and os.path.ismount(paths.rootfs)


def unmake(paths: ContainerPaths) -> None:
    """Unmount and delete everything. Absent parts are skipped. Raises OSError."""
    staging.clear(paths)
    for target in (paths.rootfs, *_volumes(paths)):
        mount.unmount(target)
    for directory in (paths.bundle, paths.storage):
        if os.path.isdir(directory):
            remove_tree(directory)


def _volumes(paths: ContainerPaths) -> list[str]:
    try:
        return [f"{paths.volumes}/{name}" for name in os.listdir(paths.volumes)]
    except FileNotFoundError:
        return []


def read_users(rootfs: str) -> tuple[str, str]:
    """The image's passwd and group files, empty if absent. Links cannot lead out of the root."""
    texts = []
    for name in ("etc/passwd", "etc/group"):
        data = openat2.read_in_root(rootfs, name, PASSWD_LIMIT_BYTES)
        texts.append((data or b"").decode("utf-8", "surrogateescape"))
    return texts[0], texts[1]
