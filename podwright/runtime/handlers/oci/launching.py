"""The launcher where the small program of `launcher` does not run: `launching.py UMASK RUNTIME ARGUMENTS...`.

A program with the standard library alone, executed by its path.
"""

from __future__ import annotations

import fcntl
import os
import sys

F_GETPIPE_SZ = 1032


def is_pipe(fd: int) -> bool:
    """Whether a descriptor is a pipe."""
    try:
        fcntl.fcntl(fd, F_GETPIPE_SZ)
    except OSError:
        return False
    return True


def main(umask: str, *argv: str) -> None:
    """See `launcher`. Does not return."""
    os.umask(int(umask, 8))
    if not is_pipe(0):
        reader, writer = os.pipe()
        os.dup2(reader, 0)
        os.close(reader)
        os.close(writer)
    if not is_pipe(1):
        os.dup2(2, 1)
    os.execv(argv[0], argv)  # noqa: S606 # as asked: there is no shell in between


if __name__ == "__main__":
    main(*sys.argv[1:])
