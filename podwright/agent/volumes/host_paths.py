"""Checks hostPaths, and makes missing ones if their type allows that.

Blocking: a network file system that does not answer can hold a caller forever.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping

from podwright.agent.volumes.plans import HostPathPlan
from podwright.errors import FailedPrecondition, InvalidArgument

DIRECTORY_MODE, FILE_MODE = 0o755, 0o644
_Check = tuple[Callable[[int], bool], str]
_DIRECTORY: _Check = (stat.S_ISDIR, "a directory")
_FILE: _Check = (stat.S_ISREG, "a file")
# None: no check.
TYPES: Mapping[str, _Check | None] = {
    "": None,
    "DirectoryOrCreate": _DIRECTORY,
    "Directory": _DIRECTORY,
    "FileOrCreate": _FILE,
    "File": _FILE,
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def check_plan_path(path: str, kind: str) -> None:
    """Raises InvalidArgument for a path with '..' and for an unknown type."""
    if ".." in path.split("/"):
        raise InvalidArgument(f"invalid HostPath `{path}`: must not contain '..'")
    if kind not in TYPES:
        known = ", ".join(name for name in TYPES if name)
        raise InvalidArgument(
            f"{kind} is an invalid volume type", hint=f"a hostPath's type is empty or one of {known}"
        )


def check_host_path(plan: HostPathPlan) -> None:
    """Make the path if its type allows that, and check it. Raises FailedPrecondition and OSError.

    Like a kubelet it does not make the directory above a file.
    """
    check = TYPES[plan.type]
    if check is None:
        return
    if plan.type == "DirectoryOrCreate":
        with contextlib.suppress(FileExistsError):
            os.makedirs(plan.path, mode=DIRECTORY_MODE)
    elif plan.type == "FileOrCreate":
        with contextlib.suppress(FileExistsError):
            os.close(os.open(plan.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
    is_right, wanted = check
    try:
        mode = os.stat(plan.path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    if not is_right(mode):
        raise FailedPrecondition(f"hostPath type check failed: {plan.path} is not {wanted}")
