"""Reports pulls of a run: a `CriImages` that passes calls on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from podwright.agent.clock import Clock
from podwright.agent.run.reporter import Reporter
from podwright.agent.runtime.protocol import CriImages
from podwright.agent.runtime.records import FilesystemSpace, ImageStatus, RegistryCredentials
from podwright.api.pull_state import PullState
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

# Calls back with the progress of an image's pull while the block runs: `podwright.api.pulls.followed` of a runtime.
Followed = Callable[[str, Callable[[PullState], None]], AbstractAsyncContextManager[None]]


class ReportedImages:
    """See CriImages. Concurrent pulls of one image are shown as one."""

    def __init__(self, images: CriImages, reporter: Reporter, clock: Clock, followed: Followed) -> None:
        self._images = images
        self._reporter = reporter
        self._clock = clock
        self._followed = followed
        self._running: dict[str, int] = {}

    async def images(self) -> list[ImageStatus]:
        return await self._images.images()

    async def image(self, reference: str, *, annotations: dict[str, str] | None = None) -> ImageStatus | None:
        return await self._images.image(reference, annotations=annotations)

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        if self._running.get(reference):
            self._running[reference] += 1
            try:
                return await self._images.pull(reference, credentials, sandbox_config)
            finally:
                self._leave(reference)
        return await self._reported(reference, credentials, sandbox_config)

    async def _reported(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        self._running[reference] = 1
        started = self._clock.monotonic()
        self._reporter.pull_started(reference)
        problem, size_bytes = "interrupted", 0
        try:
            async with self._followed(reference, functools.partial(self._reporter.pull_progress, reference)):
                pulled = await self._images.pull(reference, credentials, sandbox_config)
            problem, size_bytes = "", await self._size(pulled)
        except PodwrightError as failure:
            problem = str(failure)
            raise
        else:
            return pulled
        finally:
            elapsed_s = self._clock.monotonic() - started
            self._reporter.pull_finished(reference, elapsed_s=elapsed_s, size_bytes=size_bytes, error=problem)
            self._leave(reference)

    def _leave(self, reference: str) -> None:
        self._running[reference] -= 1
        if not self._running[reference]:
            del self._running[reference]

    async def _size(self, pulled: str) -> int:
        """The size of a pulled image in bytes, 0 if unknown."""
        try:
            found = await self._images.image(pulled)
        except PodwrightError:
            return 0
        return found.size_bytes if found is not None else 0

    async def remove_image(self, reference: str) -> None:
        await self._images.remove_image(reference)

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        return await self._images.filesystems()
