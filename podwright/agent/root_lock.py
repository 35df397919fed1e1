"""One agent per root directory: two would end each other's pods."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from podwright.errors import FailedPrecondition

ROOT_MODE = 0o750


@contextlib.contextmanager
def hold_root(directory: str) -> Iterator[None]:
    """Hold the directory until the end of the context or of the process, however it ends.

    Makes it if it is missing. The directory itself is locked, not a file in it: this works on a full disk and leaves
    nothing. Raises FailedPrecondition if another process holds it, or if it cannot be used.
    """
    try:
        os.makedirs(directory, mode=ROOT_MODE, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as failure:
        raise FailedPrecondition(
            f"root directory {directory} cannot be used: {failure.strerror}", hint="choose another one by --root-dir"
        ) from failure
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise FailedPrecondition(
                f"another agent uses root directory {directory}", hint="stop it, or choose another one by --root-dir"
            ) from held
        yield
    finally:
        os.close(descriptor)
