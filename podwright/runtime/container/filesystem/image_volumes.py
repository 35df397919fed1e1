"""Image volumes: the trees of images, mounted read-only for mounts of a container that name an image.

Each mount has its own overlay below the container's bundle, so it has the container's lifetime: `root.unmake`
removes it like the root, also after a crash. Its layers are held together with those of the container's own image. So
an image may be removed while it is mounted, and its layers are deleted after the last container.

Called by `root` and `creating`. Every failure carries CRI's sentinel.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from podwright.errors import PodwrightError, Unknown
from podwright.linux import openat2
from podwright.runtime.container.filesystem import overlays
from podwright.runtime.container.filesystem.paths import ContainerPaths
from podwright.runtime.image import ImageService
from podwright.runtime.image.trees import ImageTree
from podwright.runtime.model.container import Container, ContainerConfig, Mount, Propagation
from podwright.runtime.model.ids import ImageId


def failed(name: str, wanted: Mount, why: str) -> Unknown:
    """The error for an image volume of container `name`. The kubelet looks for its prefix and its code."""
    return Unknown(f"ImageVolumeMountFailed: container {name}: mount {wanted.container_path[:200]}: {why}")


def check(name: str, wanted: Mount) -> None:
    """Check an image volume without access to the host. Raises Unknown."""
    if wanted.image is None or not wanted.image.image:
        raise failed(name, wanted, "image.image is missing")
    if wanted.host_path:
        raise failed(name, wanted, "image and host_path exclude each other")
    if not wanted.readonly:
        raise failed(name, wanted, "images are mounted read-only: readonly must be set")
    if ".." in wanted.image_sub_path.split("/"):
        raise failed(name, wanted, f"image_sub_path {wanted.image_sub_path[:200]!r} leaves the image")


def wanted_by(config: ContainerConfig) -> list[Mount]:
    """The mounts that name an image."""
    return [wanted for wanted in config.mounts if wanted.image is not None]


def find(images: ImageService, config: ContainerConfig) -> tuple[ImageId, ...]:
    """The ids of the images that the mounts name, in order. Nothing is pulled. Raises Unknown."""
    found = []
    for wanted in wanted_by(config):
        assert wanted.image is not None
        try:
            found.append(images.get(wanted.image.image).id)
        except PodwrightError as failure:
            raise failed(config.name, wanted, str(failure)) from failure
    return tuple(found)


class Held(NamedTuple):
    """The image trees that a container holds: its root's, and one for each image volume."""

    root: ImageTree
    volumes: tuple[ImageTree, ...]


def hold(images: ImageService, container: Container) -> Held:
    """Hold all layers that the container needs, until its hold on images is released. Raises NotFound."""
    root, *volumes = images.hold(container.id, container.image_id, *container.volume_images)
    return Held(root, tuple(volumes))


def mount_all(
    paths: ContainerPaths, config: ContainerConfig, held: Iterable[ImageTree], *, label: str = ""
) -> ContainerConfig:
    """Mount the image volumes and return the config with each as a host path. Blocks. Raises Unknown.

    `label` is the SELinux label of their files. Nothing is ever mounted below an image volume, so propagation is left
    out.
    """
    volumes = iter(enumerate(held))
    mounts = []
    for wanted in config.mounts:
        if wanted.image is None:
            mounts.append(wanted)
            continue
        number, image = next(volumes)
        try:
            target = _mount(paths, number, image, label)
            source = _inside(target, wanted.image_sub_path)
        except OSError as failure:
            raise failed(config.name, wanted, _reason(wanted, failure)) from failure
        mounts.append(msgspec.structs.replace(wanted, host_path=source, image=None, propagation=Propagation.PRIVATE))
    return msgspec.structs.replace(config, mounts=tuple(mounts))


def _mount(paths: ContainerPaths, number: int, image: ImageTree, label: str) -> str:
    target, top = f"{paths.volumes}/{number}", f"{paths.volumes}/root{number}"
    for folder in (target, top):
        os.makedirs(folder, mode=0o711, exist_ok=True)
    overlays.mount_readonly(image, target, top=top, label=label)
    return target


def _inside(root: str, path: str) -> str:
    """The directory `path` of the volume, resolved by a process whose root is the volume. Raises OSError."""
    if not path:
        return root
    resolved = openat2.path_in_root(root, path)
    if not stat.S_ISDIR(os.lstat(resolved).st_mode):
        raise NotADirectoryError
    return resolved


def _reason(wanted: Mount, failure: OSError) -> str:
    match failure:
        case FileNotFoundError():
            return f"the image has no {wanted.image_sub_path[:200]!r}"
        case NotADirectoryError():
            return f"{wanted.image_sub_path[:200]!r} is not a directory of the image, and only those can be mounted"
        case _:
            return failure.strerror or str(failure)
