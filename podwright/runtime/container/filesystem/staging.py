"""Mounts that some OCI runtimes cannot make: with mapped owners, or recursively read-only.

They are prepared on paths of our own just before the runtime creates the container, and removed right after, because
the container has its own copies. So a container that does not run holds nothing of the host, and a kubelet can
unmount the volumes of a pod that has ended. CreateContainer decides what to prepare and stores it beside the spec.

The paths must never be deleted recursively (rmtree): a user's volume may be mounted there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec

from podwright.errors import FailedPrecondition, Unknown
from podwright.linux import detached, mount
from podwright.linux.files import make_private, write_new
from podwright.runtime.container.filesystem.image_volumes import Held
from podwright.runtime.container.filesystem.paths import ContainerPaths
from podwright.runtime.image.trees import ImageTree
from podwright.runtime.model.base import NamespaceMode, UserNamespace, Value
from podwright.runtime.model.container import Mount, Propagation
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.userns import UserNamespaces

log = logging.getLogger(__name__)

Mounts = tuple[Mount, ...]
PROPAGATION_FLAGS = {
    Propagation.PRIVATE: mount.MS_PRIVATE,
    Propagation.HOST_TO_CONTAINER: mount.MS_SLAVE,
    Propagation.BIDIRECTIONAL: 0,  # unchanged: `sources` checked that it is shared
}


class Staged(Value, frozen=True, kw_only=True):
    """One mount to prepare: `source` on `target`. `user` are the id mappings of its owners."""

    source: str
    target: str
    read_only: bool = False
    propagation: Propagation = Propagation.PRIVATE
    user: UserNamespace | None = None


def plan(paths: ContainerPaths, mounts: Mounts) -> tuple[Mounts, tuple[Staged, ...]]:
    """The mounts for the runtime, and the mounts to prepare for it. Pure.

    The owners of image volumes are mapped already, in their layers.
    """
    for_runtime: list[Mount] = []
    staged: list[Staged] = []
    for number, wanted in enumerate(mounts):
        is_mapped = bool(wanted.uid_mappings) and not wanted.host_path.startswith(f"{paths.volumes}/")
        plain = msgspec.structs.replace(wanted, recursive_read_only=False, uid_mappings=(), gid_mappings=())
        if wanted.recursive_read_only or is_mapped:
            user = UserNamespace(uids=wanted.uid_mappings, gids=wanted.gid_mappings) if is_mapped else None
            step = Staged(
                source=wanted.host_path,
                target=f"{paths.staging}/{number}",
                read_only=wanted.recursive_read_only,
                propagation=wanted.propagation,
                user=user,
            )
            staged.append(step)
            plain = msgspec.structs.replace(plain, host_path=step.target)
        for_runtime.append(plain)
    return tuple(for_runtime), tuple(staged)


def prepare(paths: ContainerPaths, mounts: Mounts, sandbox: Sandbox, user_namespace: str) -> Mounts:
    """The mounts for the runtime. What to prepare before its create is recorded.

    Everything is tried as far as possible, so that impossible mounts fail here. `user_namespace` is the path of the
    pod's own. Blocks. Raises as `_prepared` does.
    """
    for_runtime, steps = plan(paths, mounts)
    if target := host_sys(paths, sandbox):
        steps += (Staged(source="/sys", target=target, read_only=True),)
    if steps:
        _try(steps, sandbox.config.security.namespaces.own_user, user_namespace)
        write_new(paths.staging_plan, msgspec.json.encode(steps), mode=0o600)
    return for_runtime


def host_sys(paths: ContainerPaths, sandbox: Sandbox) -> str:
    """The path of the host's /sys, mounted read-only, for pods that may not mount sysfs. Empty for all others.

    A pod with its own user namespace may not mount sysfs in the host's network namespace, which belongs to the host's
    user namespace.
    """
    modes = sandbox.config.security.namespaces
    needs_it = modes.own_user is not None and modes.network is NamespaceMode.NODE
    return f"{paths.staging}/sys" if needs_it else ""


def _try(steps: tuple[Staged, ...], own: UserNamespace | None, user_namespace: str) -> None:
    with contextlib.ExitStack() as stack:
        known: dict[UserNamespace | None, int] = {None: -1}
        if own is not None:
            known[own] = _opened(stack, user_namespace)
        for step in steps:
            if step.user in known:
                with _prepared(step, known[step.user]):
                    continue


@contextlib.asynccontextmanager
async def ready(paths: ContainerPaths, users: UserNamespaces) -> AsyncIterator[None]:
    """Keep the mounts prepared during the context, for the runtime's create. Raises as `_prepared` does."""
    steps = _read(paths)
    if not steps:
        yield
        return
    await asyncio.to_thread(clear, paths)  # left by a start that a crash interrupted
    try:
        async with contextlib.AsyncExitStack() as stack:
            known: dict[UserNamespace | None, int] = {None: -1}
            for user in {step.user for step in steps if step.user is not None}:
                known[user] = await stack.enter_async_context(users.opened(user))
            await asyncio.to_thread(_attach, paths, steps, known)
        yield
    finally:
        await asyncio.shield(asyncio.to_thread(_clear_or_complain, paths))


@contextlib.contextmanager
def mapped_layers(paths: ContainerPaths, held: Held, user_namespace: str) -> Iterator[Held]:
    """The layers with owners mapped by the pod's user namespace, for overlays that are mounted inside the context.

    The overlays keep what they need of them. `user_namespace` is its path. Without one, nothing is mapped. Blocks.
    Raises OSError.
    """
    if not user_namespace:
        yield held
        return
    below = os.path.commonpath([layer for image in (held.root, *held.volumes) for layer in image.layers])
    target = f"{paths.staging}/layers"
    _make_folder(paths)
    os.mkdir(target, 0o700)

    def moved(image: ImageTree) -> ImageTree:
        there = [target + layer.removeprefix(below) for layer in (image.root, *image.layers)]
        return ImageTree(root=there[0], layers=tuple(there[1:]))

    try:
        with contextlib.ExitStack() as stack:
            tree = stack.enter_context(detached.cloned(below, recursive=False))
            detached.map_ids(tree, _opened(stack, user_namespace))
            detached.attach(tree, target)
        yield Held(moved(held.root), tuple(map(moved, held.volumes)))
    finally:
        clear(paths)


def _make_folder(paths: ContainerPaths) -> None:
    """Make the folder with the bundle's group and mode. Raises OSError."""
    os.makedirs(os.path.dirname(paths.staging), mode=0o711, exist_ok=True)
    group = os.stat(paths.bundle).st_gid if os.path.isdir(paths.bundle) else 0
    make_private(paths.staging, group=group)


def clear(paths: ContainerPaths) -> None:
    """Remove the prepared mounts. Absent parts are skipped. Raises OSError."""
    _clear(paths.staging)


def clear_all(state: str) -> None:
    """At start: remove the mounts that a killed daemon prepared. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"{state}/staging"):
            _clear(f"{state}/staging/{name}")


def _clear(folder: str) -> None:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for target in (f"{folder}/{name}" for name in names):
        detached.detach(target)
        if os.path.isdir(target):
            os.rmdir(target)
        else:
            os.unlink(target)
    os.rmdir(folder)


def _clear_or_complain(paths: ContainerPaths) -> None:
    try:
        clear(paths)
    except OSError as failure:  # the container runs; its removal tries again
        log.warning("cannot remove prepared mounts: path=%s error=%s", paths.staging, failure)


def _read(paths: ContainerPaths) -> tuple[Staged, ...]:
    try:
        with open(paths.staging_plan, "rb") as file:
            return msgspec.json.decode(file.read(), type=tuple[Staged, ...])
    except FileNotFoundError:
        return ()


def _attach(paths: ContainerPaths, steps: tuple[Staged, ...], known: Mapping[UserNamespace | None, int]) -> None:
    _make_folder(paths)
    for step in steps:
        with _prepared(step, known[step.user]) as tree:
            if os.path.isdir(step.source):
                os.mkdir(step.target, 0o700)
            else:
                os.close(os.open(step.target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            detached.attach(tree, step.target)


@contextlib.contextmanager
def _prepared(step: Staged, user_namespace: int) -> Iterator[int]:
    """The detached mount.

    Raises FailedPrecondition if the filesystem cannot map owners, Unknown with CRI's sentinel if the kernel cannot
    make mounts recursively read-only, and OSError.
    """
    if not detached.is_supported():
        what = "RROUnsupported: recursive read-only mounts need" if step.read_only else "idmapped mounts need"
        raise Unknown(f"{what} kernel 5.12 or later")
    with detached.cloned(step.source, recursive=True) as tree:
        if flags := PROPAGATION_FLAGS[step.propagation]:
            detached.set_propagation(tree, flags)
        if step.read_only:
            detached.make_read_only(tree)
        if step.user is not None:
            try:
                detached.map_ids(tree, user_namespace)
            except OSError as failure:
                if failure.errno not in (errno.EINVAL, errno.EPERM):
                    raise
                raise FailedPrecondition(
                    f"the filesystem of {step.source} cannot map owners for a user namespace",
                    hint="use a volume on ext4, xfs, btrfs or tmpfs, or hostUsers: true",
                ) from failure
        yield tree


def _opened(stack: contextlib.ExitStack, path: str) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd
