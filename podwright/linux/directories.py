"""Directories that are mostly there already."""

from __future__ import annotations

import contextlib
import os


def ensure_directory(path: str, mode: int) -> None:
    """Make the directory, and those above it, with one call where it is there or its parent is. Raises OSError.

    os.makedirs looks at every parent first. As with it, only the last directory gets `mode`, and a file at `path` is
    for the next step to find.
    """
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path, mode)
        except FileNotFoundError:
            os.makedirs(path, mode, exist_ok=True)
