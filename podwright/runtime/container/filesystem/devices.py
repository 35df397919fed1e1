"""The host's devices that a container requests, with links resolved and directories expanded. Blocks.

Called by `creating`. The spec lists the numbers, owner and permissions of each device node.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, Device
from podwright.runtime.oci_spec.builder import HostDevice

ALL = Device(container_path="/dev", host_path="/dev")
# Mounts and links in /dev that every container has of its own. They are not devices of the host.
NOT_OF_THE_HOST = ("pts", "shm", "fd", "mqueue", "console")
ENTRIES_LIMIT = 65536  # a request for a larger directory is a mistake


def resolve(config: ContainerConfig, *, owned_by_user: bool) -> tuple[HostDevice, ...]:
    """The device nodes for the request. A directory stands for all devices in it, `privileged` for all of the host.

    With `owned_by_user`, requested devices belong to the request's user and group instead of the host's owner (mostly
    root), so that containers of other users can open them. Raises InvalidArgument.
    """
    nodes = {node.path: node for node in _inside(config.name, ALL)} if config.security.privileged else {}
    for device in config.devices:
        for node in _nodes(config.name, device):
            nodes[node.path] = _owned(node, config.security) if owned_by_user else node
    return tuple(nodes.values())


def _owned(node: HostDevice, security: ContainerSecurity) -> HostDevice:
    return msgspec.structs.replace(node, uid=security.run_as_user or node.uid, gid=security.run_as_group or node.gid)


def _nodes(name: str, device: Device) -> Iterator[HostDevice]:
    source = os.path.realpath(device.host_path)
    if os.path.isdir(source):
        yield from _inside(name, device)
        return
    node = _node(source, os.path.normpath(device.container_path), device.permissions)
    if node is None:
        raise InvalidArgument(f"container {name}: {device.host_path} is not a device on this host")
    yield node


def _inside(name: str, device: Device) -> Iterator[HostDevice]:
    source, entries = os.path.realpath(device.host_path), 0
    for folder, folders, files in os.walk(source):
        folders[:] = [entry for entry in folders if entry not in NOT_OF_THE_HOST]
        entries += len(folders) + len(files)
        if entries > ENTRIES_LIMIT:
            raise InvalidArgument(f"container {name}: {device.host_path} has too many entries")
        inside = os.path.normpath(device.container_path) + folder.removeprefix(source)
        for entry in files:
            node = _node(f"{folder}/{entry}", f"{inside}/{entry}", device.permissions)
            if node is not None and entry not in NOT_OF_THE_HOST:
                yield node


def _node(source: str, path: str, permissions: str) -> HostDevice | None:
    try:
        status = os.lstat(source)
    except OSError:
        return None
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    return HostDevice(
        path=path,
        kind=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        permissions=permissions,
    )
