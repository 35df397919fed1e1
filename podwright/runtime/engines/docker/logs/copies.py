"""The copies of all running containers' logs, each woken by inotify when the Engine has written."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.linux.files import remove_file
from podwright.linux.inotify import IN_MODIFY, Inotify
from podwright.runtime.engines.docker.logs.copying import LogCopy
from podwright.runtime.model.ids import ContainerId
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

RETRY_S = 1.0  # after a failed step: a full disk


class LogCopies:
    """`folder` holds how far each log is copied. It outlives the daemon."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._inotify: Inotify | None = None
        self._copies: dict[ContainerId, _Running] = {}
        self._tasks = Tasks()

    def start(self, container_id: ContainerId, source: str, target: str) -> None:
        """Copy from the Engine's file to CRI's, from where an earlier daemon ended. Raises OSError.

        Raises FailedPrecondition if the log cannot be written.
        """
        if container_id in self._copies:
            return
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        inotify = self._inotify = self._inotify or Inotify()
        copy = LogCopy(source, target, self._position(container_id))
        running = self._copies[container_id] = _Running(copy)
        watch = inotify.add(source, IN_MODIFY, running.wake.set)
        running.unwatch = lambda: inotify.remove(watch, running.wake.set)
        running.task = self._tasks.start(running.follow(container_id), name=f"copy the log of {container_id[:12]}")

    async def finish(self, container_id: ContainerId) -> None:
        """Copy what is left of a container that has ended. Returns when all is written, or cannot be."""
        running = self._copies.pop(container_id, None)
        if running is None:
            return
        await running.stop()
        try:
            await running.copy_all()
        except OSError as failure:
            log.warning("the end of a log is lost: id=%s error=%s", container_id[:12], failure)
        finally:
            running.copy.close()

    def reopen(self, container_id: ContainerId) -> None:
        """Continue in a new file. Raises FailedPrecondition and OSError."""
        running = self._copies.get(container_id)
        if running is None:
            raise FailedPrecondition(f"container {container_id[:12]} has no log")
        running.copy.reopen()

    def forget(self, container_id: ContainerId) -> None:
        """Remove what is kept of a removed container."""
        remove_file(self._position(container_id))

    def _position(self, container_id: ContainerId) -> str:
        return f"{self._folder}/{container_id}"

    async def close(self) -> None:
        """Stop copying. The next daemon goes on."""
        for running in self._copies.values():
            await running.stop()
            running.copy.close()
        self._copies.clear()
        await self._tasks.close()
        if self._inotify is not None:
            self._inotify.close()


class _Running:
    """One log that is being copied."""

    def __init__(self, copy: LogCopy) -> None:
        self.copy = copy
        self.wake = asyncio.Event()
        self.wake.set()
        self.task: asyncio.Task[None] | None = None
        self.unwatch: Callable[[], None] = lambda: None

    async def follow(self, container_id: ContainerId) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            try:
                await self.copy_all()
            except (OSError, PodwrightError) as failure:
                log.warning("cannot copy log, trying again: id=%s error=%s", container_id[:12], failure)
                await asyncio.sleep(RETRY_S)
                self.wake.set()

    async def copy_all(self) -> None:
        """Copy to the end, and let others work between the steps."""
        more = True
        while more:
            more = self.copy.step()
            await asyncio.sleep(0)

    async def stop(self) -> None:
        self.unwatch()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
