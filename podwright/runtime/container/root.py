"""The host's part of CreateContainer: the root filesystem with its image volumes, and the runtime's mounts. Blocks.

`creation` calls the two functions in a thread, one after the other. `host_parts.unmake` undoes both.
"""

from __future__ import annotations

import msgspec

from podwright.linux.selinux import Contexts
from podwright.runtime.container import host_parts, image_directories, sources, staging, volumes
from podwright.runtime.container.paths import ContainerPaths
from podwright.runtime.model.container import ContainerConfig, Mount, User
from podwright.runtime.model.image import ImageConfig
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.user import resolve
from podwright.runtime.security import relabelling
from podwright.timeline import Step


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
    held: volumes.Held,
    *,
    restored: host_parts.RestoredContent | None,
    owner: tuple[int, int],
    label: str,
    user_namespace: str,
) -> Root:
    """Mount the root and the image volumes. `label` is the SELinux label of their files.

    `user_namespace` is the pod's own, empty for the host's. Raises InvalidArgument for an invalid user or volume,
    Unknown with CRI's sentinel for image volumes, and OSError.
    """
    with Step("root filesystem"), staging.mapped_layers(paths, held, user_namespace) as layers:
        host_parts.make(paths, layers.root, group=owner[1], label=label, restored=restored)
        config = volumes.mount_all(paths, config, layers.volumes, label=label)
    places = image_directories.wanted(image.volumes, config.mounts)
    own_mounts = image_directories.make(paths.rootfs, places, owner)
    if config.security.readonly_rootfs:
        config = msgspec.structs.replace(config, mounts=(*config.mounts, *own_mounts))
    passwd, group = host_parts.read_users(paths.rootfs)
    user = resolve(config.security, image.user, passwd, group)
    return Root(path=paths.rootfs, user=user, config=config, owner=owner)


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
