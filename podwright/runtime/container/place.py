"""Making and unmaking a container's place on the host: its directories and its root filesystem.

Blocking calls: the service runs them in a thread. `unmake` undoes any part of `make`, also after a crash.
"""

from __future__ import annotations

import os
import shutil
import stat

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import mount, openat2
from podwright.runtime.container.paths import ContainerPaths
from podwright.runtime.model.container import ContainerConfig, Mount, Propagation

PASSWD_LIMIT_BYTES = 4 * 1024 * 1024


def make(paths: ContainerPaths, lower: tuple[str, ...]) -> None:
    """Create the directories and mount the root over the image's layers (top first). Raises OSError."""
    os.makedirs(paths.rootfs, mode=0o711)
    os.makedirs(paths.upper, mode=0o711)
    os.mkdir(paths.work, 0o700)
    # The merged root has the upper directory's owner and mode: they must be the image's.
    top = os.stat(lower[0])
    os.chown(paths.upper, top.st_uid, top.st_gid)
    os.chmod(paths.upper, stat.S_IMODE(top.st_mode))
    mount.mount_overlay(mount.Overlay(target=paths.rootfs, lower=lower, upper=paths.upper, work=paths.work))


def is_whole(paths: ContainerPaths) -> bool:
    """Whether a container could be started: its spec and its root are there."""
    return os.path.exists(paths.spec) and os.path.ismount(paths.rootfs)


def unmake(paths: ContainerPaths) -> None:
    """Unmount and delete everything; absent parts are fine. Raises OSError."""
    for target in (paths.rootfs, *_volumes(paths)):
        mount.unmount(target)
    for directory in (paths.bundle, paths.storage):
        if os.path.isdir(directory):
            shutil.rmtree(directory)


def _volumes(paths: ContainerPaths) -> list[str]:
    try:
        return [f"{paths.volumes}/{name}" for name in os.listdir(paths.volumes)]
    except FileNotFoundError:
        return []


def read_users(rootfs: str) -> tuple[str, str]:
    """The image's passwd and group files, empty when it has none; links cannot lead out of the root."""
    texts = []
    for name in ("etc/passwd", "etc/group"):
        data = openat2.read_in_root(rootfs, name, PASSWD_LIMIT_BYTES)
        texts.append((data or b"").decode("utf-8", "surrogateescape"))
    return texts[0], texts[1]


def resolve_mounts(config: ContainerConfig) -> tuple[Mount, ...]:
    """The mounts with the host's links resolved and missing directories made, as the kubelet relies on.

    Raises InvalidArgument when the host's mount does not propagate as asked for, and OSError.
    """
    mounts = mount.read_mounts() if any(m.propagation is not Propagation.PRIVATE for m in config.mounts) else []
    return tuple(_resolve(config.name, wanted, mounts) for wanted in config.mounts)


def _resolve(name: str, wanted: Mount, mounts: list[mount.MountPoint]) -> Mount:
    source = os.path.realpath(wanted.host_path)
    if not os.path.lexists(source):
        try:
            os.makedirs(source, mode=0o755, exist_ok=True)
        except OSError as failure:
            raise InvalidArgument(
                f"container {name}: host path {source} cannot be made: {failure.strerror}"
            ) from failure
    if wanted.propagation is not Propagation.PRIVATE:
        enclosing = mount.enclosing_mount(mounts, source)
        tags = enclosing.propagation if enclosing else frozenset()
        bidirectional = wanted.propagation is Propagation.BIDIRECTIONAL
        if not tags & ({"shared"} if bidirectional else {"shared", "master"}):
            raise InvalidArgument(
                f"container {name}: {source} is on a mount that is not shared",
                hint=f"mount --make-rshared {enclosing.target if enclosing else '/'}",
            )
    return msgspec.structs.replace(wanted, host_path=source)


def make_log_directory(log_path: str) -> None:
    """The log's parent directories; a dangling link in the log's place is removed. Raises FailedPrecondition."""
    if not log_path:
        return
    try:
        os.makedirs(os.path.dirname(log_path), mode=0o755, exist_ok=True)
        if os.path.islink(log_path) and not os.path.exists(log_path):
            os.unlink(log_path)
    except OSError as failure:
        raise FailedPrecondition(f"log directory of {log_path}: {failure.strerror}") from failure
