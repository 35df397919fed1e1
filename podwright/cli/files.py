"""Files that people name: a failure says what could not be done, with which file, and what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import BinaryIO

from podwright.errors import InvalidArgument


@contextlib.contextmanager
def doing(act: str, path: str, *, hint: str = "") -> Iterator[None]:
    """Turn an OSError into InvalidArgument: `cannot read the archive a.tar: No such file or directory (hint)`.

    Without permission, the hint is another one. A pipe that its reader has closed is not explained, nor is a timeout,
    which is an OSError in Python.
    """
    try:
        yield
    except OSError as failure:
        if failure.errno in (None, errno.EPIPE):
            raise
        if isinstance(failure, PermissionError) and os.geteuid() != 0:
            hint = "run podwright as a user who may, such as root"
        raise InvalidArgument(f"cannot {act} {path}: {failure.strerror or failure}", hint=hint) from failure


def open_readable(what: str, path: str, *, hint: str = "") -> BinaryIO:
    """The file, unbuffered. Raises InvalidArgument, which calls it `what`."""
    with doing(f"read {what}", path, hint=hint):
        return open(path, "rb", buffering=0)
