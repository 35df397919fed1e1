"""An artifact as a tree: each of its blobs is a file, named by its title annotation.

If the filesystem allows, the files are hard links to the blobs and use no space.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from typing import NamedTuple

from podwright.errors import FailedPrecondition
from podwright.linux.openat2 import open_in_root, opened_root
from podwright.runtime.storage.blobs import BlobStore, disk_error
from podwright.runtime.storage.completion import to_completion
from podwright.runtime.storage.layers import LayerStore, Unpacked
from podwright.runtime.storage.unpacking import UnpackReport

PART_LIMIT_BYTES = 255
NAME_LIMIT_BYTES = 1024


class File(NamedTuple):
    """A blob and its relative path in the tree."""

    name: str
    digest: str


def check_names(files: Sequence[File], artifact: str) -> None:
    """Raises FailedPrecondition for names that are not relative paths, and for names that conflict with each other."""
    taken: set[str] = set()
    for file in files:
        parts = file.name.split("/")
        usable = (
            "\0" not in file.name and not {"", ".", ".."} & set(parts) and len(_bytes(file.name)) < NAME_LIMIT_BYTES
        )
        if not usable or max(len(_bytes(part)) for part in parts) > PART_LIMIT_BYTES:
            raise FailedPrecondition(f"{artifact}: {file.name[:200]!r} is not a valid file name")
        if file.name in taken:
            raise FailedPrecondition(f"{artifact} has two files {file.name[:200]!r}")
        taken.add(file.name)
    for file in files:
        folders = file.name.split("/")[:-1]
        if any("/".join(folders[: depth + 1]) in taken for depth in range(len(folders))):
            raise FailedPrecondition(f"{artifact}: {file.name[:200]!r} is below a file")


async def keep(layers: LayerStore, blobs: BlobStore, digest: str, files: Sequence[File]) -> str:
    """Build the tree of these stored blobs, whose names are checked, and return its id. `digest` identifies all of it.

    Raises ResourceExhausted and Internal.
    """
    there = layers.find(digest, digest)
    if there is not None:
        return there
    folder = f"{layers.root}/.new-{secrets.token_hex(8)}"
    try:
        report = await to_completion(asyncio.to_thread(_lay_out, folder, blobs, digest, files))
        return await layers.commit(Unpacked(folder=folder, diff_id=digest, report=report), digest, ())
    finally:
        await to_completion(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def wrong_files(tree: str, files: Sequence[File]) -> list[str]:
    """The differences between an artifact's tree and its blobs, as `/path: what`. Blocks."""
    if not os.path.isdir(tree):
        return ["it is missing"]
    with opened_root(tree) as root:
        return [f"/{file.name[:PART_LIMIT_BYTES]}: {wrong}" for file in files if (wrong := _wrong(root, file))]


def _wrong(root: int, file: File) -> str:
    try:
        with open(open_in_root(root, file.name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as failure:
        return f"cannot be read: {failure.strerror}"
    return "" if f"sha256:{digest}" == file.digest else "has another content"


def _lay_out(folder: str, blobs: BlobStore, digest: str, files: Sequence[File]) -> UnpackReport:
    tree = f"{folder}/fs"
    try:
        os.makedirs(tree)
        for file in files:  # the tree has no symbolic links
            target = f"{tree}/{file.name}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _put(blobs.path(file.digest), target)
        return _report(tree, digest, len(files))
    except OSError as failure:
        raise disk_error(failure, f"cannot write artifact {digest}") from failure


def _put(blob: str, target: str) -> None:
    with contextlib.suppress(OSError):  # another filesystem, or too many hard links
        os.link(blob, target)
        return
    shutil.copyfile(blob, target)


def _report(tree: str, digest: str, count: int) -> UnpackReport:
    """The report for the tree. Hard links use no space."""
    found = [os.lstat(os.path.join(place, name)) for place, below, files in os.walk(tree) for name in [*below, *files]]
    own = [one for one in [os.lstat(tree), *found] if one.st_nlink < 2 or stat.S_ISDIR(one.st_mode)]
    used = sum(one.st_blocks * 512 for one in own)
    return UnpackReport(
        diff_id=digest, plain_bytes=used, used_bytes=used, inodes=len(own), entries=count, lost_xattrs=0
    )


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogatepass")
