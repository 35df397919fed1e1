"""Whether a checkpoint can be where it is wanted: checks before anything is touched. They look, and change nothing."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.base import UserNamespace, check_path


def check_location(location: str, *, ours: tuple[str, ...]) -> None:
    """An archive's path: absolute, plain, in a directory that exists. `ours` are directories of the daemon itself.

    Raises InvalidArgument.
    """
    _check_plain("location", location)
    folder = os.path.dirname(location)
    if not os.path.isdir(folder):
        raise InvalidArgument(f"location {location[:200]!r}: {folder[:200]!r} is no directory")
    if os.path.lexists(location) and (os.path.islink(location) or not os.path.isfile(location)):
        raise InvalidArgument(f"location {location[:200]!r} is there, and no plain file")
    _check_not_ours("location", os.path.realpath(folder), ours)


def check_output(path: str, *, ours: tuple[str, ...]) -> None:
    """A pod checkpoint's directory: absolute, there, and empty. Raises InvalidArgument."""
    check_folder("output_path", path)
    if os.listdir(path):
        raise InvalidArgument(f"output_path {path[:200]!r} is not empty")
    _check_not_ours("output_path", os.path.realpath(path), ours)


def check_folder(label: str, path: str) -> None:
    """A directory, by a plain absolute path. Raises InvalidArgument."""
    _check_plain(label, path)
    if os.path.islink(path) or not os.path.isdir(path):
        raise InvalidArgument(f"{label} {path[:200]!r} is no directory")


def check_options(options: Mapping[str, str]) -> None:
    """There are none yet. Raises InvalidArgument."""
    if options:
        raise InvalidArgument(f"unknown options: {', '.join(sorted(options))[:200]}")


def check_names(label: str, names: Sequence[str]) -> None:
    """There are some, each once. Raises InvalidArgument."""
    if not names:
        raise InvalidArgument(f"{label} is empty")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"{label} names something twice")


def check_users(label: str, user: UserNamespace | None) -> None:
    """The files of such a pod belong to ids that the next one would not have. Raises FailedPrecondition."""
    if user is not None:
        raise FailedPrecondition(f"{label} has a user namespace of its own: it cannot be in a checkpoint")


def _check_plain(label: str, path: str) -> None:
    if not path.startswith("/") or "\0" in path or posixpath.normpath(path) != path:
        raise InvalidArgument(f"{label} {path[:200]!r} is not a plain absolute path")
    check_path(label, path)


def _check_not_ours(label: str, real: str, ours: tuple[str, ...]) -> None:
    for folder in ours:
        if f"{real}/".startswith(f"{os.path.realpath(folder)}/"):
            raise InvalidArgument(f"{label} {real[:200]!r} is the runtime's own")
