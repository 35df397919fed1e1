"""A container's files on the host: the directories, the root with its image volumes, and the runtime's mounts. Blocks.

`creating` calls `make_root` and `prepare_mounts` in a thread, one after the other. `unmake` undoes any part of both,
also after a crash.
"""

from __future__ import annotations

import os

import msgspec

from podwright.linux import mount, openat2
from podwright.linux.files import make_private, remove_tree
from podwright.linux.selinux import Contexts
from podwright.runtime.container.filesystem import image_directories, image_volumes, overlays, sources, staging
from podwright.runtime.container.filesystem.paths import ContainerPaths
from podwright.runtime.image.trees import ImageTree
from podwright.runtime.model.container import ContainerConfig, Mount, User
from podwright.runtime.model.image import ImageConfig
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.user import resolve
from podwright.runtime.security import relabelling
from podwright.timeline import Step

PASSWD_LIMIT_BYTES = 4 * 1024 * 1024


class RestoredContent(msgspec.Struct, frozen=True, kw_only=True):
    """Directories of a checkpointed container that a restored one takes over. They are moved to the new place."""

    upper: str  # the writable layer of its root
    images: str  # CRIU's image files


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A mounted root: its path, the first process's user, and the mounts on it.

    `config` is the request's, with image volumes as host paths, and with the image's VOLUMEs if the root is
    read-only. `owner` is the pod's root user and group on the host.
    """

    path: str
    user: User
    config: ContainerConfig
    owner: tuple[int, int]


class PreparedMounts(msgspec.Struct, frozen=True, kw_only=True):
    """The mounts for the runtime. `sys` is the path of the host's /sys, empty if the runtime mounts one."""

    mounts: tuple[Mount, ...]
    sys: str


def make_root(
    paths: ContainerPaths,
    config: ContainerConfig,
    image: ImageConfig,
    held: image_volumes.Held,
    *,
    restored: RestoredContent | None,
    owner: tuple[int, int],
    label: str,
    user_namespace: str,
) -> Root:
    """Mount the root and the image volumes. `label` is the SELinux label of their files.

    `user_namespace` is the pod's own, empty for the host's. Raises InvalidArgument for an invalid user or volume,
    Unknown with CRI's sentinel for image volumes, and OSError.
    """
    with Step("root filesystem"), staging.mapped_layers(paths, held, user_namespace) as layers:
        _mount_root(paths, layers.root, group=owner[1], label=label, restored=restored)
        config = image_volumes.mount_all(paths, config, layers.volumes, label=label)
    places = image_directories.wanted(image.volumes, config.mounts)
    own_mounts = image_directories.make(paths.rootfs, places, owner)
    if config.security.readonly_rootfs:
        config = msgspec.structs.replace(config, mounts=(*config.mounts, *own_mounts))
    passwd, group = _read_users(paths.rootfs)
    user = resolve(config.security, image.user, passwd, group)
    return Root(path=paths.rootfs, user=user, config=config, owner=owner)


def _mount_root(
    paths: ContainerPaths,
    image: ImageTree,
    *,
    group: int,
    label: str,
    restored: RestoredContent | None,
) -> None:
    """Make the directories and mount the root over the image's layers. `group` is the pod's root group on the host."""
    make_private(paths.bundle, group=group)
    os.mkdir(paths.rootfs, 0o711)
    os.makedirs(paths.storage, mode=0o711)
    if restored is not None:
        os.rename(restored.upper, paths.upper)
        os.rename(restored.images, paths.checkpoint)
    else:
        os.mkdir(paths.upper, 0o711)
    os.mkdir(paths.work, 0o700)
    overlays.mount_writable(image, paths.rootfs, upper=paths.upper, work=paths.work, label=label)


def _read_users(rootfs: str) -> tuple[str, str]:
    """The image's passwd and group files, empty if absent. Links cannot lead out of the root."""
    texts = []
    for name in ("etc/passwd", "etc/group"):
        data = openat2.read_in_root(rootfs, name, PASSWD_LIMIT_BYTES)
        texts.append((data or b"").decode("utf-8", "surrogateescape"))
    return texts[0], texts[1]


def prepare_mounts(
    paths: ContainerPaths,
    root: Root,
    sandbox: Sandbox,
    *,
    ours: tuple[str, ...],
    labels: Contexts | None,
    user_namespace: str,
) -> PreparedMounts:
    """Prepare everything on the host that the mounts need. `ours` are the daemon's own directories.

    Raises InvalidArgument, FailedPrecondition, Unknown with CRI's sentinel, and OSError.
    """
    found = sources.resolve(root.config, ours=ours)
    relabelling.relabel(root.config.name, found, labels)
    image_directories.make_mount_points(root.path, found, root.owner)
    mounts = staging.prepare(paths, found, sandbox, user_namespace)
    return PreparedMounts(mounts=mounts, sys=staging.host_sys(paths, sandbox))


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
