"""Unpacked layers: one directory each, `root`/<id>/fs, for use as lower directories of overlays.

A layer's id is the hex part of its diff-id, so images share it regardless of the layers below. Only a layer with
implicit directories above other layers depends on them (see `implicit`), so its id is its chain-id. A directory is
complete once it is renamed, and its row is written after that. Until a row is `synced`, it does not survive a reboot,
because the files may not be on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Sequence

import msgspec

from podwright.errors import Internal
from podwright.process import Command, ProcessRunner
from podwright.runtime.config import ImageSettings
from podwright.runtime.model.base import Value
from podwright.runtime.model.image import hex_of
from podwright.runtime.state import Database, RecordTable, this_boot
from podwright.runtime.storage import comparing, implicit, unpacking
from podwright.runtime.storage.blobs import DigestMismatch, disk_error, open_blob
from podwright.runtime.storage.completion import to_completion

log = logging.getLogger(__name__)

DELETE_TIMEOUT_S = 600.0
DELETE_TRIES = 3
SYNC_TIMEOUT_S = 600.0
EMPTY = "empty"  # the id of the lower directory of images without layers


class LayerRecord(Value, frozen=True, kw_only=True):
    """The record of an unpacked layer.

    `boot_id` is the kernel's at the time of unpacking. `describes_root` says whether the archive has mode and owner
    of `/`. Layers of a version without the field count as not describing it.
    """

    id: str
    diff_id: str
    used_bytes: int
    inodes: int
    implicit: tuple[str, ...] = ()
    boot_id: str = ""
    synced: bool = False
    describes_root: bool = False


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in a temporary directory, not yet part of the store."""

    folder: str
    diff_id: str
    report: unpacking.UnpackReport


class LayerStore:
    """Owns `root` and the table of layers. `image` decides which layers are needed."""

    def __init__(self, database: Database, root: str, limits: ImageSettings, runner: ProcessRunner) -> None:
        self.root = root
        self._limits = limits
        self._runner = runner
        self._table = RecordTable(database, "layers", LayerRecord)
        self._records = self._table.load()
        self._boot_id = this_boot().id
        try:  # not accessible to others, because it contains device nodes and set-id programs of images
            os.makedirs(f"{root}/{EMPTY}/fs", exist_ok=True)
            os.chmod(root, 0o700)
        except OSError as failure:
            raise disk_error(failure, "cannot create the layer store") from failure

    def path(self, layer_id: str) -> str:
        """The layer's tree."""
        return f"{self.root}/{layer_id}/fs"

    def find(self, diff_id: str, chain_id: str) -> str | None:
        """The id of that layer for use on top of that chain, or None if it must be unpacked."""
        alone = self._records.get(hex_of(diff_id))
        if alone is not None and (not alone.implicit or diff_id == chain_id):
            return alone.id
        placed = self._records.get(hex_of(chain_id))
        return placed.id if placed is not None and placed.diff_id == diff_id else None

    def describes_root(self, layer_id: str) -> bool:
        """Whether the layer has mode and owner of `/`."""
        record = self._records.get(layer_id)
        return record is not None and record.describes_root

    @contextlib.asynccontextmanager
    async def unpacked(
        self, blob_fd: int, marks: unpacking.Marks, size_bytes: int, diff_id: str
    ) -> AsyncIterator[Unpacked]:
        """Unpack into a temporary directory, which is deleted at the end unless it was committed.

        Raises BadLayer, DigestMismatch for another diff-id, DownloadEnded, ResourceExhausted and Internal.
        """
        folder = f"{self.root}/.new-{secrets.token_hex(8)}"
        try:
            try:
                os.makedirs(f"{folder}/fs")
            except OSError as failure:
                raise disk_error(failure, f"cannot unpack {diff_id}") from failure
            report = await unpacking.unpack(self._runner, f"{folder}/fs", blob_fd, marks, size_bytes, self._limits)
            if report.diff_id != diff_id:
                raise DigestMismatch(f"the layer unpacks to {report.diff_id}, but the image's config says {diff_id}")
            if report.lost_xattrs:
                log.warning("extended attributes are not stored: diff_id=%s count=%d", diff_id, report.lost_xattrs)
            yield Unpacked(folder=folder, diff_id=diff_id, report=report)
        finally:
            if os.path.lexists(folder):
                await self._delete(folder)

    async def commit(self, unpacked: Unpacked, chain_id: str, below: Sequence[str]) -> str:
        """Add an unpacked layer to the store. `below` are the ids of the layers under it, the base first.

        Returns its id. A layer that was committed in the meantime stays as it is.
        """
        present = self.find(unpacked.diff_id, chain_id)
        if present is not None:
            return present
        report = unpacked.report
        layer_id = hex_of(unpacked.diff_id)
        try:
            if report.implicit and below:
                layer_id = hex_of(chain_id)
                lowers = [self.path(other) for other in reversed(below)]
                await asyncio.to_thread(implicit.copy_up, f"{unpacked.folder}/fs", report.implicit, lowers)
            await self._move_in(unpacked.folder, layer_id)
        except OSError as failure:
            raise disk_error(failure, f"cannot keep layer {unpacked.diff_id}") from failure
        self._write(layer_id, unpacked)
        return layer_id

    def _write(self, layer_id: str, unpacked: Unpacked) -> None:
        report = unpacked.report
        record = LayerRecord(
            id=layer_id,
            diff_id=unpacked.diff_id,
            used_bytes=report.used_bytes,
            inodes=report.inodes + 2,
            implicit=report.implicit,
            boot_id=self._boot_id,
            describes_root=report.describes_root,
        )
        self._table.put(layer_id, record)
        self._records[layer_id] = record

    @contextlib.asynccontextmanager
    async def rebuilt(
        self, layer_id: str, blob_path: str, size_bytes: int, diff_id: str, below: Sequence[str]
    ) -> AsyncIterator[Unpacked]:
        """The layer unpacked again from its blob, in a temporary directory. Raises as `unpacked` does."""
        with open_blob(blob_path) as fd, unpacking.Marks() as marks:
            marks.end()
            async with self.unpacked(fd, marks, size_bytes, diff_id) as unpacked:
                if layer_id != hex_of(diff_id):  # it depends on the layers below
                    lowers = [self.path(other) for other in reversed(below)]
                    names = unpacked.report.implicit
                    await asyncio.to_thread(implicit.copy_up, f"{unpacked.folder}/fs", names, lowers)
                yield unpacked

    async def differences(self, layer_id: str, unpacked: Unpacked) -> list[str]:
        """The first differences of the stored layer from the `rebuilt` one, as `/path: what`."""
        if layer_id not in self._records or not os.path.isdir(self.path(layer_id)):
            return ["it is missing"]
        return await comparing.differences(self._runner, self.path(layer_id), f"{unpacked.folder}/fs")

    async def replace(self, layer_id: str, unpacked: Unpacked) -> None:
        """Replace a damaged layer with the `rebuilt` one. No container may have it mounted. Raises Internal."""
        await self.remove([layer_id])
        try:
            os.rename(unpacked.folder, f"{self.root}/{layer_id}")
        except OSError as failure:
            raise disk_error(failure, f"cannot keep layer {unpacked.diff_id}") from failure
        self._write(layer_id, unpacked)

    async def _move_in(self, folder: str, layer_id: str) -> None:
        target = f"{self.root}/{layer_id}"
        if os.path.lexists(target) and layer_id not in self._records:  # its row was lost, so our copy is the valid one
            await self._delete(target)
        os.rename(folder, target)

    async def remove(self, layer_ids: Sequence[str]) -> None:
        """Delete layers and their rows. Absent ones succeed.

        Rows go first: the next start deletes directories without a row.
        """
        folders = []
        for layer_id in layer_ids:
            if self._records.pop(layer_id, None) is not None:
                self._table.delete(layer_id)
            folder = f"{self.root}/{layer_id}"
            trash = f"{self.root}/.old-{secrets.token_hex(8)}"
            with contextlib.suppress(FileNotFoundError):
                os.rename(folder, trash)
                folders.append(trash)
        if folders:
            await self._delete(*folders)

    def ids(self) -> list[str]:
        """The ids of all layers."""
        return list(self._records)

    def disk_bytes(self) -> dict[str, int]:
        """The disk usage of each layer, by id."""
        return {record.id: record.used_bytes for record in self._records.values()}

    def usage(self) -> tuple[int, int]:
        """(bytes, inodes) of all layers, counted when they were unpacked."""
        records = self._records.values()
        return sum(record.used_bytes for record in records), sum(record.inodes for record in records)

    async def recover(self) -> None:
        """At start: forget rows that are not trustworthy or lack a directory, and delete directories without a row."""
        for record in list(self._records.values()):
            trusted = record.synced or record.boot_id == self._boot_id
            if not trusted or not os.path.isdir(self.path(record.id)):
                log.warning("layer lost: id=%s synced=%s", record.id, record.synced)
                del self._records[record.id]
                self._table.delete(record.id)
        litter = [name for name in os.listdir(self.root) if name != EMPTY and name not in self._records]
        if litter:
            await self._delete(*(f"{self.root}/{name}" for name in litter))

    async def sync(self) -> None:
        """Sync all layers to disk, so that they survive a power cut. May take seconds, in the background."""
        fresh = [record for record in self._records.values() if not record.synced]
        if not fresh:
            return
        command = Command(argv=("sync", "--file-system", self.root), timeout_s=SYNC_TIMEOUT_S)
        completed = await self._runner.run(command)
        if completed.returncode:
            raise Internal(f"sync of {self.root} failed: {completed.error_text()}")
        for record in fresh:
            if self._records.get(record.id) is record:
                self._records[record.id] = msgspec.structs.replace(record, synced=True)
                self._table.put(record.id, self._records[record.id])

    async def _delete(self, *folders: str) -> None:
        """Delete trees of images. Uses rm, which does not block the event loop and has no depth limit.

        An unpack program of a killed daemon may still add files for a moment, so it tries several times. What remains
        is deleted at the next start, and does not fail the caller.
        """
        command = Command(argv=("rm", "-rf", "--one-file-system", "--", *folders), timeout_s=DELETE_TIMEOUT_S)
        for _ in range(DELETE_TRIES):
            completed = await to_completion(self._runner.run(command))
            if completed.returncode == 0:
                return
        log.warning("cannot delete layers: error=%s", completed.error_text())
