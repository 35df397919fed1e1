"""Carries out a volume's plan: directories, mounts, files, groups. Blocking and idempotent.

The marker `ready` is made last. Without it, what a killed agent left behind is used or made again.
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
    """Carry out the plan. `now_ns` is the time since the epoch, `progress` counts files whose group is changed.

    Raises FailedPrecondition if this machine lacks something, InvalidArgument for impossible files, and OSError.
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
    """Whether the volume is still set up, as far as a quick check shows."""
    if isinstance(plan, FilesPlan):
        return is_there(plan.directory) and os.path.lexists(os.path.join(plan.directory.path, "..data"))
    if isinstance(plan, EmptyDirPlan):
        return _is_directory(plan.path) and (plan.medium is None or is_mount_point(plan.path))
    return True


def is_mount_point(path: str) -> bool:
    """Whether a file system is mounted on a directory. False if the directory does not exist."""
    try:
        return os.lstat(path).st_dev != os.lstat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def _set_up_directory(plan: EmptyDirPlan, progress: OwnershipProgress) -> None:
    marker = os.path.join(plan.ready, places.READY)
    if os.path.exists(marker):
        if is_there(plan):
            return
        os.unlink(marker)  # after a reboot the tmpfs is gone, but its marker remains
    _make_pod_directories(plan)
    with contextlib.suppress(FileExistsError):
        os.mkdir(plan.path, DIRECTORY_MODE)
    if plan.medium is None:
        os.chmod(plan.path, DIRECTORY_MODE)  # the umask has changed mkdir's mode
    elif not is_mount_point(plan.path):
        _mount(plan.path, plan.medium)
    if plan.group is not None:
        change_group(plan.path, GroupChange(group=plan.group), progress)
    os.makedirs(plan.ready, mode=MARKER_DIRECTORY_MODE, exist_ok=True)
    os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MARKER_MODE))


def _make_pod_directories(plan: EmptyDirPlan) -> None:
    """Make `<pod>`, `<pod>/volumes`, and the plug-in's directory."""
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
