"""The content store: an OCI image layout whose blobs are named by digest and never change.

A blob is written to `ingest/`, checked, fsynced and renamed, so blobs in `blobs/` are complete even after a power
cut. `image` decides which blobs to delete. Filesystem errors become errors of the tree.
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
from podwright.linux.files import remove_file
from podwright.runtime.model.image import hex_of
from podwright.runtime.storage import layout
from podwright.runtime.storage.completion import to_completion


class DigestMismatch(FailedPrecondition):
    """The received bytes have another digest than requested."""


def disk_error(failure: OSError, doing: str) -> PodwrightError:
    """The error for a failed file operation."""
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            f"{doing}: the disk is full", hint="remove images, or free disk space under the daemon's root"
        )
    return Internal(f"{doing}: {failure}")


class BlobStore:
    """The blobs under `root`. Methods that read more than a directory entry run in a thread."""

    def __init__(self, root: str) -> None:
        """Create the layout if it is missing. Raises ResourceExhausted and Internal."""
        self.root = root
        self._blobs = f"{root}/blobs/sha256"
        self._ingest = self.ingest_folder = f"{root}/ingest"  # incomplete blobs, deleted at the next start
        with _reported("cannot create the image store"):
            os.makedirs(self._blobs, exist_ok=True)
            os.makedirs(self._ingest, mode=0o700, exist_ok=True)
            os.chmod(root, 0o700)  # images may be private, and the daemon's root is open to all users of the host
            _replace(f"{root}/oci-layout", layout.LAYOUT_FILE)

    def path(self, digest: str) -> str:
        """The path of the blob, whether it exists or not."""
        return f"{self._blobs}/{hex_of(digest)}"

    def size(self, digest: str) -> int | None:
        """The size of a stored blob in bytes, or None."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str) -> bytes | None:
        """The content of a small stored blob (manifest, config), or None."""
        try:
            with open(self.path(digest), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    async def computed(self, digest: str) -> str | None:
        """The actual digest of a stored blob, or None if it is not stored. Raises Internal."""
        return await to_completion(asyncio.to_thread(self._computed, digest))

    def _computed(self, digest: str) -> str | None:
        if self.size(digest) is None:
            return None
        with _reported(f"cannot read {digest}"), open(self.path(digest), "rb", buffering=0) as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()

    def ingest(self, digest: str, size_bytes: int) -> Ingest:
        """Start to receive a blob. Use the result as a context manager."""
        return Ingest(self.path(digest), f"{self._ingest}/{secrets.token_hex(8)}", digest, size_bytes)

    async def put(self, data: bytes) -> str:
        """Store a small blob from memory. Returns its digest."""
        digest = layout.digest_of(data)
        if self.size(digest) is None:
            with self.ingest(digest, len(data)) as ingest:
                await ingest.write(data)
                await ingest.commit()
        return digest

    async def replace(self, data: bytes) -> None:
        """Store a small blob, replacing whatever is stored."""
        with self.ingest(layout.digest_of(data), len(data)) as ingest:
            await ingest.write(data)
            await ingest.commit()

    async def adopt(self, path: str, digest: str, size_bytes: int) -> None:
        """Turn a file of the ingest folder into a blob. Its writer has computed the digest."""
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
        """Delete blobs. Absent ones succeed. They leave the store before the first await, and the disk afterwards."""
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
        """The disk usage of each blob in bytes."""
        found = {}
        with os.scandir(self._blobs) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found[f"sha256:{entry.name}"] = entry.stat().st_blocks * 512
        return found

    def usage(self) -> tuple[int, int]:
        """(bytes, inodes) of all blobs, complete or not."""
        used = inodes = 0
        for folder in (self._blobs, self._ingest):
            with os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        used += entry.stat().st_blocks * 512
                        inodes += 1
        return used, inodes

    def write_index(self, listed: list[layout.ListedManifest]) -> None:
        """Write index.json."""
        with _reported("cannot write the image store's index"):
            _replace(f"{self.root}/index.json", layout.index_json(listed))

    def clear_ingest(self) -> None:
        """Delete incomplete blobs of an earlier run. Call it before anything is received."""
        for name in os.listdir(self._ingest):
            os.unlink(f"{self._ingest}/{name}")


class Ingest:
    """A blob being received. The context deletes its data unless `commit` was called.

    Others may read `fd` while it grows: `written_bytes` of it are valid.
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
        remove_file(self._path)

    async def write(self, data: bytes | bytearray) -> None:
        """Append and hash. Raises ResourceExhausted if the disk is full, DigestMismatch for too many bytes."""
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
        """Raises DigestMismatch unless the content is complete and correct."""
        if self.written_bytes != self._size_bytes:
            raise DigestMismatch(
                f"{self._digest} is truncated: {self.written_bytes} of its {self._size_bytes} declared bytes came"
            )
        came = "sha256:" + self._hash.hexdigest()
        if came != self._digest:
            raise DigestMismatch(f"{self._digest} was requested, but {came} was received")

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
    """A descriptor for reading a stored blob. Raises Internal."""
    with _reported("cannot read the image store"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


async def read_at(fd: int, start: int, size_bytes: int) -> bytes:
    """A range of an open blob. Raises Internal if it is missing."""
    with _reported("cannot read the image store"):
        data = await to_completion(asyncio.to_thread(os.pread, fd, size_bytes, start))
    if not data:
        raise Internal("a blob in the image store is shorter than it should be", hint="podwright images verify")
    return data


def _unlink_all(paths: Iterable[str]) -> None:
    for path in paths:
        remove_file(path)


def _replace(path: str, content: bytes) -> None:
    """Write a small file atomically. It is not synced, because each start derives it again."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if file.read() == content:  # nothing to write: a daemon must also start on a full disk
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
