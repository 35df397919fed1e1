"""The paths of a pod's files on this machine, and checks of their parts. Pure.

The layout is the kubelet's: `<root>/pods/<UID>` and `<log root>/<namespace>_<name>_<UID>`. All paths and cgroup names
with a UID are made by this module.
"""

from __future__ import annotations

import re

from podwright.errors import InvalidArgument

# No `_`: the folder of a pod's logs ends with `_<UID>`, and a systemd slice has `_` where the UID has `-`.
UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,127}")
FILE_NAME_MAX = 255  # bytes (NAME_MAX of limits.h)


def is_uid(uid: str) -> bool:
    """Whether `uid` can be a part of a path and of a cgroup's name."""
    return UID.fullmatch(uid) is not None


def checked_uid(uid: str) -> str:
    """`uid`. Raises InvalidArgument if it cannot be a part of a path."""
    if not is_uid(uid):
        raise InvalidArgument(
            f"the pod UID {uid[:FILE_NAME_MAX]!r} cannot be a part of a path",
            hint="use a UUID, or at most 128 of A-Z, a-z, 0-9, '-', '.' and ':', the first a letter or a digit",
        )
    return uid


def file_name(text: str) -> str:
    """`text`. Raises InvalidArgument if it cannot be the name of one file."""
    if not text or text in (".", "..") or "/" in text or "\0" in text or len(text.encode()) > FILE_NAME_MAX:
        raise InvalidArgument(
            f"{text[: FILE_NAME_MAX + 1]!r} cannot be the name of a file",
            hint=f"use at most {FILE_NAME_MAX} bytes without '/'",
        )
    return text


def pods_directory(root: str) -> str:
    """The directory of all pods' directories."""
    return f"{root}/pods"


def pod_directory(root: str, uid: str) -> str:
    """The directory of one pod. Raises InvalidArgument for a UID that cannot be a part of a path."""
    return f"{pods_directory(root)}/{checked_uid(uid)}"


def log_directory(log_root: str, namespace: str, name: str, uid: str) -> str:
    """The directory of a pod's logs. Raises InvalidArgument for parts that cannot be in a path."""
    folder = f"{namespace}_{name}_{checked_uid(uid)}"
    if len(folder.encode()) > FILE_NAME_MAX:
        raise InvalidArgument(
            f"the folder of the pod's logs, {folder[:FILE_NAME_MAX]!r}..., would have a name of more than "
            f"{FILE_NAME_MAX} bytes",
            hint="use a shorter name for the pod",
        )
    return f"{log_root}/{file_name(folder)}"
