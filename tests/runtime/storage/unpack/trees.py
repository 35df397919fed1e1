"""Directory trees as values that can be compared, and the program run on a tar as the daemon runs it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from podwright.process import PosixProcessRunner
from podwright.runtime.config import ImageSettings
from podwright.runtime.storage import unpacking
from podwright.runtime.storage.unpacking import Marks, UnpackReport

Described = dict[str, dict[str, Any]]


async def unpack(tree: Path, blob: bytes, limits: ImageSettings | None = None) -> UnpackReport:
    """Unpack a whole blob into the new directory `tree`."""
    source = tree.with_name(f"{tree.name}.blob")
    source.write_bytes(blob)
    tree.mkdir()
    with source.open("rb") as file, Marks() as marks:
        marks.end()
        return await unpacking.unpack(
            PosixProcessRunner(), str(tree), file.fileno(), marks, len(blob), limits or ImageSettings()
        )


def described(root: Path, *, times: bool = True) -> Described:
    """Everything below `root` that a layer is about; hard links as the first name of the same file."""
    first: dict[int, str] = {}
    return {name: _one(path, name, first, times) for name, path in sorted(_walk(root))}


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, files in os.walk(root):
        yield os.path.relpath(folder, root), folder
        for name in [*files, *(one for one in folders if os.path.islink(f"{folder}/{one}"))]:
            yield os.path.relpath(f"{folder}/{name}", root), f"{folder}/{name}"


def _one(path: str, name: str, first: dict[int, str], times: bool) -> dict[str, Any]:
    found = os.lstat(path)
    is_file = stat.S_ISREG(found.st_mode)
    return {
        "mode": oct(found.st_mode),
        "owner": (found.st_uid, found.st_gid),
        "mtime": found.st_mtime_ns if times else 0,
        "device": found.st_rdev,
        "target": os.readlink(path) if stat.S_ISLNK(found.st_mode) else "",
        "size": found.st_size if is_file else 0,
        "content": hashlib.sha256(Path(path).read_bytes()).hexdigest() if is_file else "",
        "sparse": is_file and found.st_blocks * 512 < found.st_size,
        "same_as": "" if stat.S_ISDIR(found.st_mode) else first.setdefault(found.st_ino, name),
        "xattrs": {
            key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)
        },
    }
