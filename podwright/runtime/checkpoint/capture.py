"""The steps of one container's checkpoint, in a work directory of its own. `service` decides when.

The directory is named by the container's id and records whether we froze it. A daemon that finds one at its start
resumes the container and deletes the directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Self, TypeVar

from podwright.errors import FailedPrecondition, NotFound, RuntimeFailed
from podwright.linux.files import remove_file, write_new
from podwright.runtime.checkpoint import archive, documents
from podwright.runtime.container.service import ContainerService
from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.storage.completion import to_completion

FROZEN = "frozen"  # in the work directory, if we froze the container
IMAGES, REPORTS, LAYER = "images", "reports", "layer.tar"
DUMP_LOG = "dump.log"
DUMP_LOG_TAIL_BYTES = 64 * 1024
DUMP_ERROR = re.compile(r"Error \([^)]*\): (.*)")

Result = TypeVar("Result")


class Capture:
    """A checkpoint of one container in progress. Use as an async context manager, which owns `folder`."""

    def __init__(self, containers: ContainerService, container: Container, folder: str) -> None:
        self.container = container
        self._containers = containers
        self._folder = folder

    async def __aenter__(self) -> Self:
        os.makedirs(os.path.dirname(self._folder), mode=0o700, exist_ok=True)
        for folder in (self._folder, f"{self._folder}/{IMAGES}", f"{self._folder}/{REPORTS}"):
            os.mkdir(folder, 0o700)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Freeze the container during the context. Raises FailedPrecondition and DeadlineExceeded.

        A container that was paused before stays paused afterwards.
        """
        if await self._containers.task(self.container).is_paused():
            yield
            return
        write_new(f"{self._folder}/{FROZEN}", b"", mode=0o600)
        try:
            await self._containers.pause(self.container.id)
            yield
        finally:
            with contextlib.suppress(FailedPrecondition, NotFound):  # it has exited
                await self._containers.unpause(self.container.id)
            os.unlink(f"{self._folder}/{FROZEN}")

    async def dump(self, path: str) -> None:
        """Dump its processes and writable layer. `path` is the PATH with CRIU. Raises RuntimeFailed and OSError."""
        task = self._containers.task(self.container)
        reports = f"{self._folder}/{REPORTS}"
        try:
            await task.checkpoint(images=f"{self._folder}/{IMAGES}", work=reports, path=path)
        except RuntimeFailed as failure:
            cause = dump_error(f"{reports}/{DUMP_LOG}")
            raise RuntimeFailed(f"{failure.message}: {cause}" if cause else failure.message) from failure
        layer, upper = f"{self._folder}/{LAYER}", self._containers.written_files(self.container)
        await in_thread(lambda go_on: archive.write_diff(layer, upper, go_on))

    async def archive(self, location: str) -> None:
        """Write the archive, atomically. Raises OSError."""
        handler = self._containers.handler_of(self.container).name
        spec = self._containers.spec(self.container)
        named = documents.of_container(self.container, spec, handler=handler, now=time.time_ns())
        reports = f"{self._folder}/{REPORTS}"
        files = {
            "container.log": self.container.log_path,
            DUMP_LOG: f"{reports}/{DUMP_LOG}",
            "stats-dump": f"{reports}/stats-dump",
            archive.DIFF: f"{self._folder}/{LAYER}",
        }
        unfinished = f"{location}.{secrets.token_hex(4)}.partial"
        try:
            await in_thread(lambda go_on: archive.write(unfinished, named, files, f"{self._folder}/{IMAGES}", go_on))
            os.rename(unfinished, location)
        except BaseException:
            remove_file(unfinished)
            raise

    @staticmethod
    async def end_abandoned(containers: ContainerService, container_id: ContainerId, folder: str) -> None:
        """End what a killed daemon left."""
        if os.path.exists(f"{folder}/{FROZEN}"):
            with contextlib.suppress(NotFound, FailedPrecondition):  # it has ended
                await containers.task(containers.get(container_id)).resume()
        shutil.rmtree(folder, ignore_errors=True)


async def in_thread(work: Callable[[archive.GoOn], Result]) -> Result:
    """Run `work` in a thread. A cancelled caller waits until `work` has noticed it and stopped."""
    cancelled = threading.Event()
    job = asyncio.to_thread(work, lambda: not cancelled.is_set())
    return await to_completion(job, on_cancel=cancelled.set)


def dump_error(path: str) -> str:
    """The first error at the end of CRIU's log, which causes the others. Empty if there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - DUMP_LOG_TAIL_BYTES))
            errors = DUMP_ERROR.findall(file.read().decode(errors="replace"))
    except FileNotFoundError:
        return ""
    return str(errors[0])[:500] if errors else ""
