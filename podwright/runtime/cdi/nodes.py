"""Completes edits with the host's data: numbers and modes of device nodes, existence of mount sources. Blocks."""

from __future__ import annotations

import os
import stat

import msgspec

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi.document import CdiDeviceNode, CdiMount, Edits

FIFO = "p"
TYPES = {stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: FIFO}


def complete(source: str, edits: Edits) -> Edits:
    """The completed edits. Raises FailedPrecondition that names `source`."""
    for mount in edits.mounts:
        if is_bind(mount) and not os.path.lexists(mount.host_path):
            raise FailedPrecondition(f"CDI device {source}: {mount.host_path} is not on this host")
    return msgspec.structs.replace(edits, device_nodes=tuple(_node(source, node) for node in edits.device_nodes))


def is_bind(mount: CdiMount) -> bool:
    """Whether the source is a path of the host. A mount without a type is a bind mount."""
    return mount.type == "bind" or bool({"bind", "rbind"}.intersection(mount.options)) or not mount.type


def _node(source: str, node: CdiDeviceNode) -> CdiDeviceNode:
    """A node with type and numbers in the file needs no device on the host.

    Missing values come from the host's device.
    """
    whole = bool(node.type) and (node.major != 0 or node.type == FIFO)
    path = node.host_path or node.path
    try:
        status = os.stat(path)
    except OSError as failure:
        if whole:
            return node
        raise FailedPrecondition(f"CDI device {source}: device node {path}: {failure.strerror}") from failure
    mode = stat.S_IMODE(status.st_mode) if node.file_mode is None else node.file_mode
    if whole:
        return msgspec.structs.replace(node, file_mode=mode)
    found = TYPES.get(stat.S_IFMT(status.st_mode))
    wanted = "c" if node.type == "u" else node.type
    if found is None or wanted not in ("", found):
        raise FailedPrecondition(f"CDI device {source}: {path} is not a device of type {node.type or 'b or c'}")
    numbers = {} if found == FIFO else {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev)}
    return msgspec.structs.replace(node, type=node.type or found, file_mode=mode, **numbers)
