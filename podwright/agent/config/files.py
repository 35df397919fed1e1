"""Reads the files of a configuration, and lists drop-ins."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from podwright.agent.config.document import SIZE_LIMIT_BYTES
from podwright.agent.config.reading import ConfigError

SUFFIX = ".conf"


def read_bytes(path: str) -> bytes:
    """The file's content, up to one byte over the limit. Raises ConfigError."""
    try:
        # A pipe without a writer would block the open.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(path, ["is not a regular file"])
            return file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as failure:
        raise ConfigError(path, [f"cannot be read: {failure.strerror}"]) from failure


def list_drop_ins(folder: str) -> list[str]:
    """The drop-ins in the order of Go's filepath.WalkDir: sorted by name folder by folder, links not followed.

    A `folder` that is a link has none, as in a kubelet. Raises ConfigError if it cannot be listed.
    """
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return [folder] if folder.endswith(SUFFIX) else []
        return list(_walk(folder))
    except OSError as failure:
        raise ConfigError(failure.filename or folder, [f"cannot be read: {failure.strerror}"]) from failure


def _walk(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.name.endswith(SUFFIX):
            yield entry.path
