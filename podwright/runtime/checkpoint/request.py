"""Whether a checkpoint can be written to the requested place: checks that change nothing."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.base import UserNamespace, check_path


def check_location(location: str, *, ours: tuple[str, ...]) -> None:
    """Check an archive's path: absolute, plain, in a directory that exists. `ours` are the daemon's own directories.

    Raises InvalidArgument.
    """
    _check_plain("location", location)
    folder = os.path.dirname(location)
    if not os.path.isdir(folder):
        raise InvalidArgument(f"location {location[:200]!r}: {folder[:200]!r} is not a directory")
    if os.path.lexists(location) and (os.path.islink(location) or not os.path.isfile(location)):
        raise InvalidArgument(f"location {location[:200]!r} exists and is not a plain file")
    _check_not_ours("location", os.path.realpath(folder), ours)


def check_output(path: str, *, ours: tuple[str, ...]) -> None:
    """Check a pod checkpoint's directory: absolute, existing and empty. Raises InvalidArgument."""
    check_folder("output_path", path)
    if os.listdir(path):
        raise InvalidArgument(f"output_path {path[:200]!r} is not empty")
    _check_not_ours("output_path", os.path.realpath(path), ours)


def check_folder(label: str, path: str) -> None:
    """Check a directory: a plain absolute path. Raises InvalidArgument."""
    _check_plain(label, path)
    if os.path.islink(path) or not os.path.isdir(path):
        raise InvalidArgument(f"{label} {path[:200]!r} is not a directory")


def check_options(options: Mapping[str, str]) -> None:
    """Raises InvalidArgument for any option, because none is supported yet."""
    if options:
        raise InvalidArgument(f"unknown options: {', '.join(sorted(options))[:200]}")


def check_names(label: str, names: Sequence[str]) -> None:
    """Raises InvalidArgument unless there are names without duplicates."""
    if not names:
        raise InvalidArgument(f"{label} is empty")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"{label} has duplicates")


def check_users(label: str, user: UserNamespace | None) -> None:
    """Raises FailedPrecondition for a user namespace of the pod, because a restored pod would get other host ids."""
    if user is not None:
        raise FailedPrecondition(f"{label} has its own user namespace, which checkpoints do not support")


def _check_plain(label: str, path: str) -> None:
    if not path.startswith("/") or "\0" in path or posixpath.normpath(path) != path:
        raise InvalidArgument(f"{label} {path[:200]!r} is not a plain absolute path")
    check_path(label, path)


def _check_not_ours(label: str, real: str, ours: tuple[str, ...]) -> None:
    for folder in ours:
        if f"{real}/".startswith(f"{os.path.realpath(folder)}/"):
            raise InvalidArgument(f"{label} {real[:200]!r} is the runtime's own")
