"""Carries out a volume's plan: directories, mounts, files, groups. Blocking and idempotent.

The marker `ready` is made last. What a killed agent has left without it is used or done again.
"""

from __future__ import annotations

import contextlib
import errno
import os

from podwright.agent.volumes import places
from podwright.agent.volumes.host_paths import check_host_path
from podwright.agent.volumes.ownership import GroupChange, OwnershipProgress, change_group
from podwright.agent.volumes.payload import write_payload
from podwright.agent.volumes.plans import (
    DIRECTORY_MODE,
    MEMORY_MODE,
    EmptyDirPlan,
    FilesPlan,
    HostPathPlan,
    HugePages,
    MemoryFilesystem,
    Plan,
)
from podwright.errors import FailedPrecondition
from podwright.linux import libc

POD_MODE, MARKER_DIRECTORY_MODE, MARKER_MODE, MOUNT_POINT_MODE = 0o750, 0o750, 0o644, 0o755


def set_up(plan: Plan, now_ns: int, progress: OwnershipProgress) -> None:
    """Make the volume what its plan says. `now_ns` is the time since the epoch, `progress` that of a change of group.

    Raises FailedPrecondition for what this machine does not have, InvalidArgument for files that cannot be, OSError.
    """
    if isinstance(plan, EmptyDirPlan):
        _set_up_directory(plan, progress)
    elif isinstance(plan, FilesPlan):
        _set_up_directory(plan.directory, progress)
        for point in plan.mount_points:
            os.makedirs(os.path.join(plan.directory.path, point), mode=MOUNT_POINT_MODE, exist_ok=True)
        write_payload(plan.directory.path, plan.files, group=plan.directory.group, now_ns=now_ns)
    elif isinstance(plan, HostPathPlan):
        check_host_path(plan)


def is_there(plan: Plan) -> bool:
    """Whether what was set up is still in its place, as far as two looks at the file system show."""
    if isinstance(plan, FilesPlan):
        return is_there(plan.directory) and os.path.lexists(os.path.join(plan.directory.path, "..data"))
    if isinstance(plan, EmptyDirPlan):
        return _is_directory(plan.path) and (plan.medium is None or is_mount_point(plan.path))
    return True


def is_mount_point(path: str) -> bool:
    """Whether a file system of its own is mounted on a directory. False when there is nothing."""
    try:
        return os.lstat(path).st_dev != os.lstat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def _set_up_directory(plan: EmptyDirPlan, progress: OwnershipProgress) -> None:
    marker = os.path.join(plan.ready, places.READY)
    if os.path.exists(marker):
        if is_there(plan):
            return
        os.unlink(marker)  # after a reboot a tmpfs is gone, and its marker is not
    _make_pod_directories(plan)
    with contextlib.suppress(FileExistsError):
        os.mkdir(plan.path, DIRECTORY_MODE)
    if plan.medium is None:
        os.chmod(plan.path, DIRECTORY_MODE)  # mkdir's mode went through our umask
    elif not is_mount_point(plan.path):
        _mount(plan.path, plan.medium)
    if plan.group is not None:
        change_group(plan.path, GroupChange(group=plan.group), progress)
    os.makedirs(plan.ready, mode=MARKER_DIRECTORY_MODE, exist_ok=True)
    os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MARKER_MODE))


def _make_pod_directories(plan: EmptyDirPlan) -> None:
    """`<pod>`, `<pod>/volumes`, and the directory of the plug-in."""
    plugin = os.path.dirname(plan.path)
    volumes = os.path.dirname(plugin)
    os.makedirs(os.path.dirname(volumes), mode=POD_MODE, exist_ok=True)
    for path, mode in ((volumes, POD_MODE), (plugin, 0o755)):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)


def _mount(path: str, medium: MemoryFilesystem | HugePages) -> None:
    if isinstance(medium, HugePages):
        try:
            libc.mount("nodev", path, "hugetlbfs", 0, f"pagesize={medium.page_bytes}")
        except OSError as failure:
            message = f"huge pages of {medium.page_bytes} bytes cannot be mounted: {failure.strerror}"
            raise FailedPrecondition(
                message, hint="see /sys/kernel/mm/hugepages for the sizes of this machine"
            ) from failure
        return
    size = f"size={medium.size_bytes}," if medium.size_bytes else ""
    try:
        libc.mount("tmpfs", path, "tmpfs", 0, f"{size}mode={MEMORY_MODE:o},noswap")
    except OSError as failure:
        if failure.errno != errno.EINVAL:
            raise
        libc.mount("tmpfs", path, "tmpfs", 0, f"{size}mode={MEMORY_MODE:o}")  # before Linux 6.4 there is no noswap


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
