"""Carrying out volume plans: directories, tmpfs mounts, files, checks of host paths; and taking it all down.

Blocking; callers use a thread. Everything made lies below the pod's directory, except what hostPath's
DirectoryOrCreate and FileOrCreate ask for.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping

from podwright.agent.seed.volumes.payload import write_payload
from podwright.agent.seed.volumes.plan import (
    EMPTY_DIR_MODE,
    DirectoryPlan,
    FilesPlan,
    HostPathPlan,
    TmpfsPlan,
    VolumePlan,
)
from podwright.errors import FailedPrecondition, Internal
from podwright.linux import mount
from podwright.linux.files import remove_tree

# A payload volume holds at most a few objects of 1 MiB each; twice that leaves room for an update.
PAYLOAD_TMPFS_BYTES = 16 * 1024 * 1024
# emptyDir may hold sockets, devices and programs.
SHARED_TMPFS_FLAGS = 0
SET_GROUP_ID = 0o2070

_HOST_PATH_CHECKS = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def prepare_volumes(plans: Mapping[str, VolumePlan]) -> None:
    """Make every volume. Raises FailedPrecondition naming the volume; `remove_pod_directory` undoes it."""
    for name, plan in plans.items():
        try:
            _prepare(plan)
        except OSError as failure:
            raise FailedPrecondition(f"volume {name} cannot be made: {failure}") from failure
        except FailedPrecondition as failure:
            raise FailedPrecondition(f"volume {name}: {failure.message}") from failure


def _prepare(plan: VolumePlan) -> None:
    if isinstance(plan, HostPathPlan):
        _check_host_path(plan)
        return
    os.makedirs(plan.path, mode=0o755, exist_ok=True)
    if isinstance(plan, TmpfsPlan):
        mount.mount_tmpfs(plan.path, size_bytes=plan.size_bytes, mode=EMPTY_DIR_MODE, flags=SHARED_TMPFS_FLAGS)
    if isinstance(plan, DirectoryPlan | TmpfsPlan):
        _open_to_group(plan.path, plan.group)
    if isinstance(plan, FilesPlan):
        if plan.in_memory:
            mount.mount_tmpfs(plan.path, size_bytes=PAYLOAD_TMPFS_BYTES, mode=0o755)
        write_payload(plan.path, plan.files, plan.group)


def _open_to_group(path: str, group: int | None) -> None:
    os.chmod(path, EMPTY_DIR_MODE)
    if group is not None:
        os.chown(path, -1, group)
        os.chmod(path, EMPTY_DIR_MODE | SET_GROUP_ID)


def _check_host_path(plan: HostPathPlan) -> None:
    if plan.type == "DirectoryOrCreate":
        os.makedirs(plan.path, mode=0o755, exist_ok=True)
    elif plan.type == "FileOrCreate":
        with contextlib.suppress(FileExistsError):
            os.close(os.open(plan.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    if not plan.type:
        return
    check, wanted = _HOST_PATH_CHECKS[plan.type]
    try:
        mode = os.stat(plan.path).st_mode
    except FileNotFoundError:
        raise FailedPrecondition(f"{plan.path} does not exist (type {plan.type})") from None
    if not check(mode):
        raise FailedPrecondition(f"{plan.path} is not {wanted} (type {plan.type})")


def remove_pod_directory(directory: str) -> None:
    """Unmount everything below the pod's directory, then delete it. Raises Internal when something stays mounted.

    Nothing is deleted while a mount is left below: it could be a path of the host.
    """
    for point in reversed(_mounts_below(directory)):
        mount.unmount(point)
    left = _mounts_below(directory)
    if left:
        raise Internal(f"{left[0]} is still mounted, so {directory} was kept")
    if os.path.isdir(directory):
        remove_tree(directory)


def _mounts_below(directory: str) -> list[str]:
    prefix = os.path.realpath(directory) + "/"
    return [point.target for point in mount.read_mounts() if point.target.startswith(prefix)]
