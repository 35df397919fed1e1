"""Sources of a container's mounts on the host: resolves links, makes missing directories, checks propagation. Blocks.

The service runs these calls in a thread.
"""

from __future__ import annotations

import os

import msgspec

from podwright.errors import InvalidArgument
from podwright.linux import mount
from podwright.runtime.model.container import ContainerConfig, Mount, Propagation


def resolve(config: ContainerConfig, *, ours: tuple[str, ...]) -> tuple[Mount, ...]:
    """The mounts with the host's links resolved and missing directories made, which the kubelet relies on.

    A private mount of a tree that contains our own directories (`ours`) receives the host's unmounts if possible.
    Otherwise it would keep roots and namespaces of removed pods alive. CRI-O has the same rule.

    Raises InvalidArgument if the host's mount does not have the requested propagation, and OSError.
    """
    found = [msgspec.structs.replace(wanted, host_path=_made(config.name, wanted)) for wanted in config.mounts]
    interesting = [wanted for wanted in found if _depends_on_propagation(wanted, ours)]
    mounts = mount.read_mounts() if interesting else []
    return tuple(_propagating(config.name, wanted, mounts, ours) for wanted in found)


def _made(name: str, wanted: Mount) -> str:
    source = os.path.realpath(wanted.host_path)
    if not os.path.lexists(source):
        try:
            os.makedirs(source, mode=0o755, exist_ok=True)
        except OSError as failure:
            raise InvalidArgument(f"container {name}: cannot make host path {source}: {failure.strerror}") from failure
    return source


def _depends_on_propagation(wanted: Mount, ours: tuple[str, ...]) -> bool:
    return wanted.propagation is not Propagation.PRIVATE or _holds(wanted.host_path, ours)


def _holds(source: str, ours: tuple[str, ...]) -> bool:
    prefix = source.rstrip("/") + "/"
    return any(f"{path}/".startswith(prefix) for path in ours)


def _propagating(name: str, wanted: Mount, mounts: list[mount.MountPoint], ours: tuple[str, ...]) -> Mount:
    """The mount with its effective propagation. Raises InvalidArgument."""
    if not _depends_on_propagation(wanted, ours):
        return wanted
    enclosing = mount.enclosing_mount(mounts, wanted.host_path)
    tags = enclosing.propagation if enclosing else frozenset()
    if wanted.propagation is Propagation.PRIVATE:
        follows = bool(tags & {"shared", "master"})
        return msgspec.structs.replace(wanted, propagation=Propagation.HOST_TO_CONTAINER) if follows else wanted
    needed = {"shared"} if wanted.propagation is Propagation.BIDIRECTIONAL else {"shared", "master"}
    if not tags & needed:
        raise InvalidArgument(
            f"container {name}: {wanted.host_path} is on a mount that is not shared",
            hint=f"mount --make-rshared {enclosing.target if enclosing else '/'}",
        )
    return wanted
