"""Files outside any filesystem, for libraries that need a path and for secrets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """A path with this content, valid in this process during the block. Raises OSError."""
    fd = os.memfd_create("podwright", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
