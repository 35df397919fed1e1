"""vol_data.json: the kubelet's file beside a CSI volume that names the driver and the volume. Blocking.

Keys and paths are the kubelet's (pkg/volume/csi), so that a kubelet and this agent can replace each other on a node.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import msgspec

from podwright.agent.pods.places import pods_directory
from podwright.agent.volumes import places
from podwright.agent.volumes.plans import StoredVolume
from podwright.agent.volumes.storage.plans import CsiPlaces
from podwright.linux.files import replace_file

FILE = "vol_data.json"
MODE = 0o640
LIMIT_BYTES = 64 * 1024
SHARED = frozenset({"staging", "publish"})  # found beside the directories of block volumes
HANDLE, DRIVER, LIFECYCLE = "volumeHandle", "driverName", "volumeLifecycleMode"
LABEL = "seLinuxMountContext"
EPHEMERAL = "Ephemeral"


class FoundVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A CSI volume that a pod has on disk. `volume` is None if its file cannot be read.

    An inline volume belongs to the pod alone, and is never attached.
    """

    uid: str
    name: str
    is_block: bool
    volume: StoredVolume | None
    is_inline: bool = False


class StagedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that is, or may be, staged at `path`. `name` is the PersistentVolume of a block volume.

    `volume` is None if its file cannot be read, because an agent was killed before it was complete.
    """

    volume: StoredVolume | None
    path: str
    name: str = ""


def write(directory: str, data: dict[str, str]) -> None:
    """Write the file into a directory that exists. Raises OSError."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True)
    replace_file(f"{directory}/{FILE}", f"{text}\n".encode(), mode=MODE)


def read(directory: str) -> StoredVolume | None:
    """The volume. None if the file is missing or invalid. Raises OSError for other failures."""
    data = _read(directory)
    driver, handle = data.get(DRIVER), data.get(HANDLE)
    if not (isinstance(driver, str) and isinstance(handle, str) and driver and handle):
        return None
    return StoredVolume(driver=driver, handle=handle)


def _read(directory: str) -> dict[str, Any]:
    """The file's content. Empty if it is missing or invalid."""
    try:
        fd = os.open(f"{directory}/{FILE}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    with os.fdopen(fd, "rb") as file:
        text = file.read(LIMIT_BYTES)
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def label(directory: str) -> str:
    """The SELinux label that the volume is mounted with. Empty for none. Raises OSError."""
    found = _read(directory).get(LABEL)
    return found if isinstance(found, str) else ""


def remove(directory: str) -> None:
    """Remove the files, and then the directory if it is empty. An absent one succeeds. Raises OSError."""
    for name in (FILE, f".{FILE}"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(f"{directory}/{name}")
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(directory)


def of_pod(root: str, uid: str) -> list[FoundVolume]:
    """The CSI volumes that a pod has, or may have."""
    pod, own = f"{pods_directory(root)}/{uid}", CsiPlaces(root)
    plugin = places.escaped(places.CSI)
    volumes = f"{pod}/{places.VOLUMES}/{plugin}"
    found = [
        FoundVolume(
            uid=uid,
            name=name,
            is_block=False,
            volume=read(f"{volumes}/{name}"),
            is_inline=_read(f"{volumes}/{name}").get(LIFECYCLE) == EPHEMERAL,
        )
        for name in _names(volumes)
    ]
    return found + [
        FoundVolume(uid=uid, name=name, is_block=True, volume=read(f"{own.block(name)}/data"))
        for name in _names(f"{pod}/{places.DEVICES}/{plugin}")
    ]


def of_all_pods(root: str) -> Iterator[FoundVolume]:
    """The same for every pod on disk."""
    for uid in _names(pods_directory(root)):
        yield from of_pod(root, uid)


def staged(root: str) -> Iterator[StagedVolume]:
    """The volumes that are, or may be, staged on this node."""
    own = CsiPlaces(root)
    for driver in _names(own.top):
        if driver == places.DEVICES:
            continue
        for digest in _names(f"{own.top}/{driver}"):
            directory = f"{own.top}/{driver}/{digest}"
            yield StagedVolume(volume=read(directory), path=f"{directory}/globalmount")
    for name in _names(f"{own.top}/{places.DEVICES}"):
        if name not in SHARED:
            yield StagedVolume(volume=read(f"{own.block(name)}/data"), path=own.block_staged(name), name=name)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
