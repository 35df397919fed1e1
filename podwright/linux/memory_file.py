"""Files without a place in any filesystem, for libraries that want a path and for secrets that want none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """A path with these contents, good in this process as long as the block lasts. Raises OSError."""
    fd = os.memfd_create("podwright", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
