"""Block devices in pods: a link in the pod's directory, and a mount of the device that pins it. Blocking.

The layout is the kubelet's (pkg/volume/util/volumepathhandler): a device is bound to <map>/<pod's UID>, and the pod's
link leads to the device. The link is made first and removed last, so that what a killed agent left behind is found.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import stat

from podwright.errors import FailedPrecondition
from podwright.linux import detached, mount
from podwright.linux.files import remove_file

DIRECTORY_MODE = 0o750
LOOP_CLR_FD = 0x4C01


def link_device(device: str, link: str) -> None:
    """Make the pod's link lead to the device. Raises OSError."""
    os.makedirs(os.path.dirname(link), mode=DIRECTORY_MODE, exist_ok=True)
    with contextlib.suppress(OSError):
        if os.readlink(link) == device:
            return
    temporary = f"{os.path.dirname(link)}/.{os.path.basename(link)}"
    remove_file(temporary)
    os.symlink(device, temporary)
    os.rename(temporary, link)


def pin_device(device: str, map_directory: str, uid: str) -> bool:
    """Bind the device to the pod's path in the map. Returns False if it was already bound.

    Raises FailedPrecondition if it is not a device, and OSError.
    """
    path = os.path.realpath(device)
    wanted = os.stat(path)
    if not stat.S_ISBLK(wanted.st_mode):
        raise FailedPrecondition(f"{device} is not a block device")
    os.makedirs(map_directory, mode=DIRECTORY_MODE, exist_ok=True)
    target = f"{map_directory}/{uid}"
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(target)
        if stat.S_ISBLK(found.st_mode) and found.st_rdev == wanted.st_rdev:
            return False
        detached.detach(target)
        os.unlink(target)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
    mount.bind(path, target)
    return True


def unpin_device(map_directory: str, uid: str) -> None:
    """Undo `pin_device`. An absent one succeeds. Raises OSError.

    Also removes the loop device that a kubelet makes for it.
    """
    target = f"{map_directory}/{uid}"
    for device in _loops_on(target):
        _free_loop(device)
    detached.detach(target)
    remove_file(target)
    with contextlib.suppress(OSError):  # other pods have the device, or it is gone
        os.rmdir(map_directory)


def _loops_on(path: str) -> list[str]:
    """The loop devices of the file at the path."""
    found = []
    for file in glob.glob("/sys/block/loop*/loop/backing_file"):
        with contextlib.suppress(OSError), open(file, encoding="utf-8", errors="surrogateescape") as text:
            if text.read().rstrip("\n") == path:
                found.append(f"/dev/{file.split('/')[3]}")
    return found


def _free_loop(device: str) -> None:
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, LOOP_CLR_FD)
    finally:
        os.close(fd)


def unlink_device(link: str) -> None:
    """Undo `link_device`. An absent one succeeds. Raises OSError."""
    remove_file(link)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(link))
