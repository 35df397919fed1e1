"""Checks the paths of a volume's files. Pure. The rules are the kubelet's (volume/util/atomic_writer.go)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from podwright.agent.volumes.plans import PayloadFile
from podwright.errors import InvalidArgument

PATH_MAX, NAME_MAX = 4096, 255


def by_clean_path(files: Iterable[PayloadFile]) -> Mapping[str, PayloadFile]:
    """The files by their paths without `.` and `//`. The last one of a path wins.

    Raises InvalidArgument for a path that leads out of the volume, and for a file that another one needs as a
    directory.
    """
    clean = {_clean(file.path): file for file in files}
    for path in clean:
        folder = posixpath.dirname(path)
        while folder:
            if folder in clean:
                raise InvalidArgument(f"{folder} cannot be a file, since {path} is to lie in it", hint="rename one")
            folder = posixpath.dirname(folder)
    return clean


def top_names(paths: Iterable[str]) -> set[str]:
    """The names at the top of the volume."""
    return {path.partition("/")[0] for path in paths}


def _clean(path: str) -> str:
    parts = path.split("/")
    problem = ""
    if not path or posixpath.normpath(path) == ".":
        problem = "it must not be empty"
    elif path.startswith("/"):
        problem = "it must be relative"
    elif ".." in parts:
        problem = "it must not contain '..'"
    elif posixpath.normpath(path).startswith(".."):
        problem = "it must not start with '..'"
    elif len(path.encode()) >= PATH_MAX or any(len(part.encode()) > NAME_MAX for part in parts):
        problem = f"a name has at most {NAME_MAX} bytes, a path {PATH_MAX - 1}"
    elif "\0" in path:
        problem = "it must not contain a NUL"
    if problem:
        raise InvalidArgument(f"invalid path of a volume's file: {path[:PATH_MAX]!r}", hint=problem)
    return posixpath.normpath(path)
