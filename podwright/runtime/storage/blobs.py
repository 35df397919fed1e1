"""The content store: an OCI image layout whose blobs are named by their digest and never change.

A blob is written to `ingest/`, checked, fsynced and renamed, so what stands under `blobs/` is whole, even after a
power cut. Who may delete a blob is `image`'s decision. Errors of the filesystem leave as the error tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Collection, Iterable, Iterator

from podwright.errors import FailedPrecondition, Internal, PodwrightError, ResourceExhausted
from podwright.runtime.model.image import hex_of
from podwright.runtime.storage import layout
from podwright.runtime.storage.completion import to_completion


class DigestMismatch(FailedPrecondition):
    """The bytes that came are not those that were asked for."""


def disk_error(failure: OSError, doing: str) -> PodwrightError:
    """What a failed file operation of ours means to the caller."""
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(f"{doing}: the disk is full", hint="remove images, or make room under the root")
    return Internal(f"{doing}: {failure}")


class BlobStore:
    """Blobs under `root`. Methods that touch more than a directory entry run in a thread."""

    def __init__(self, root: str) -> None:
        """Create the layout if it is not there. Raises ResourceExhausted and Internal."""
        self.root = root
        self._blobs = f"{root}/blobs/sha256"
        self._ingest = self.ingest_folder = f"{root}/ingest"  # what is not a blob yet, and goes at the next start
        with _reported("cannot create the image store"):
            os.makedirs(self._blobs, exist_ok=True)
            os.makedirs(self._ingest, mode=0o700, exist_ok=True)
            _replace(f"{root}/oci-layout", layout.LAYOUT_FILE)

    def path(self, digest: str) -> str:
        """Where the blob is or would be."""
        return f"{self._blobs}/{hex_of(digest)}"

    def size(self, digest: str) -> int | None:
        """Bytes of a stored blob; None when it is not stored."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str) -> bytes | None:
        """A small blob (manifest, config) as a whole; None when it is not stored."""
        try:
            with open(self.path(digest), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    async def computed(self, digest: str) -> str | None:
        """The digest that a stored blob really has; None when it is not stored. Raises Internal."""
        return await to_completion(asyncio.to_thread(self._computed, digest))

    def _computed(self, digest: str) -> str | None:
        if self.size(digest) is None:
            return None
        with _reported(f"cannot read {digest}"), open(self.path(digest), "rb", buffering=0) as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()

    def ingest(self, digest: str, size_bytes: int) -> Ingest:
        """Start to receive a blob; use the result as a context manager."""
        return Ingest(self.path(digest), f"{self._ingest}/{secrets.token_hex(8)}", digest, size_bytes)

    async def put(self, data: bytes) -> str:
        """Store a small blob that we hold. Returns its digest."""
        digest = layout.digest_of(data)
        if self.size(digest) is None:
            with self.ingest(digest, len(data)) as ingest:
                await ingest.write(data)
                await ingest.commit()
        return digest

    async def replace(self, data: bytes) -> None:
        """Store a small blob over whatever stands in its place."""
        with self.ingest(layout.digest_of(data), len(data)) as ingest:
            await ingest.write(data)
            await ingest.commit()

    async def adopt(self, path: str, digest: str, size_bytes: int) -> None:
        """Make a file of the ingest folder, whose digest its writer has computed, a blob."""
        if self.size(digest) != size_bytes:
            await to_completion(asyncio.to_thread(self._adopt, path, digest))

    def _adopt(self, path: str, digest: str) -> None:
        with _reported(f"cannot store {digest}"):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchmod(fd, 0o644)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(path, self.path(digest))
            _sync_directory(self._blobs)

    async def delete(self, digests: Collection[str]) -> None:
        """Delete; absent blobs are fine. They are out of the store before the first await, and off the disk after."""
        doomed = []
        for digest in digests:
            moved = f"{self._ingest}/{secrets.token_hex(8)}"
            with _reported(f"cannot delete {digest}"), contextlib.suppress(FileNotFoundError):
                os.rename(self.path(digest), moved)
                doomed.append(moved)
        if doomed:
            await to_completion(asyncio.to_thread(_unlink_all, doomed))

    def digests(self) -> list[str]:
        """All stored blobs."""
        return [f"sha256:{name}" for name in os.listdir(self._blobs)]

    def disk_bytes(self) -> dict[str, int]:
        """What each blob takes of the disk."""
        found = {}
        with os.scandir(self._blobs) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found[f"sha256:{entry.name}"] = entry.stat().st_blocks * 512
        return found

    def usage(self) -> tuple[int, int]:
        """(bytes, inodes) of everything stored and half-stored."""
        used = inodes = 0
        for folder in (self._blobs, self._ingest):
            with os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        used += entry.stat().st_blocks * 512
                        inodes += 1
        return used, inodes

    def write_index(self, listed: list[layout.ListedManifest]) -> None:
        """Derive index.json anew."""
        with _reported("cannot write the image store's index"):
            _replace(f"{self.root}/index.json", layout.index_json(listed))

    def clear_ingest(self) -> None:
        """Drop what an earlier run left half-written; only before anything is received."""
        for name in os.listdir(self._ingest):
            os.unlink(f"{self._ingest}/{name}")


class Ingest:
    """A blob on its way in. Left without `commit`, the context deletes what had come.

    `fd` may be read by others while it grows: `written_bytes` of it are there.
    """

    def __init__(self, target: str, path: str, digest: str, size_bytes: int) -> None:
        self._target = target
        self._path = path
        self._digest = digest
        self._size_bytes = size_bytes
        self._hash = hashlib.sha256()
        self.written_bytes = 0
        self.fd = -1

    def __enter__(self) -> Ingest:
        with _reported("cannot store an image"):
            self.fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    async def write(self, data: bytes | bytearray) -> None:
        """Append and hash. Raises ResourceExhausted when the disk is full, DigestMismatch for too many bytes."""
        if self.written_bytes + len(data) > self._size_bytes:
            raise DigestMismatch(f"{self._digest} is larger than its {self._size_bytes} declared bytes")
        await to_completion(asyncio.to_thread(self._append, data))
        self.written_bytes += len(data)

    def _append(self, data: bytes | bytearray) -> None:
        with _reported(f"cannot store {self._digest}"):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self.fd, rest) :]
        self._hash.update(data)

    def check(self) -> None:
        """Raises DigestMismatch unless everything has come as it should."""
        if self.written_bytes != self._size_bytes:
            raise DigestMismatch(
                f"{self._digest} is truncated: {self.written_bytes} of its {self._size_bytes} declared bytes came"
            )
        came = "sha256:" + self._hash.hexdigest()
        if came != self._digest:
            raise DigestMismatch(f"{self._digest} was asked for, but {came} came")

    async def commit(self) -> None:
        """Check, make durable and publish. Raises DigestMismatch, ResourceExhausted and Internal."""
        self.check()
        await to_completion(asyncio.to_thread(self._publish))

    def _publish(self) -> None:
        with _reported(f"cannot store {self._digest}"):
            os.fchmod(self.fd, 0o644)
            os.fsync(self.fd)
            os.rename(self._path, self._target)
            _sync_directory(os.path.dirname(self._target))


@contextlib.contextmanager
def _reported(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise disk_error(failure, doing) from failure


@contextlib.contextmanager
def open_blob(path: str) -> Iterator[int]:
    """A descriptor to read a stored blob. Raises Internal."""
    with _reported("cannot read the image store"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


async def read_at(fd: int, start: int, size_bytes: int) -> bytes:
    """Some bytes of an open blob. Raises Internal when there are none."""
    with _reported("cannot read the image store"):
        data = await to_completion(asyncio.to_thread(os.pread, fd, size_bytes, start))
    if not data:
        raise Internal("a blob in the image store is shorter than it should be", hint="podwright images verify")
    return data


def _unlink_all(paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _replace(path: str, content: bytes) -> None:
    """Write a small file so that readers see the old or the new one. Not synced: it is derived again at each start."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if file.read() == content:  # nothing to write: a daemon must come up on a full disk, too
            return
    temporary = f"{path}.new"
    with open(temporary, "wb") as file:
        file.write(content)
    os.rename(temporary, path)


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
