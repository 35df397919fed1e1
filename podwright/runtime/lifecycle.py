"""What may observe or change the life of pods and containers: NRI plug-ins, and hooks of Python packages.

The services call `LifeCycles` at each step, in order and awaited. It passes the call on to each listener. Without any,
a call costs nothing. Requests hold it (`held`) from before they change anything until the listeners have been called.
So whoever describes everything to a plug-in (`alone`) leaves nothing out, and nothing is described twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from podwright.errors import PodwrightError
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.image import Image
from podwright.runtime.model.sandbox import Attachment, Sandbox

log = logging.getLogger(__name__)

Spec = dict[str, Any]


class LifeCycle:
    """One listener. A failure of what is to come (`pull`, `run`, `create`, `start`, `update`) fails the request.

    A failure of what has happened, or must happen (`stop`, `remove`), is logged.
    """

    async def pull_image(self, reference: str) -> None:
        """An image is about to be pulled."""

    async def image_pulled(self, reference: str, image: Image) -> None:
        """It is there."""

    async def run_sandbox(self, sandbox: Sandbox) -> None:
        """It is about to become READY. Its network is there."""

    async def networked(self, sandbox: Sandbox, attachment: Attachment) -> None:
        """Its network is there."""

    async def update_sandbox(self, sandbox: Sandbox, overhead: Resources | None, resources: Resources | None) -> None:
        """Its resources as a whole are about to change."""

    async def sandbox_updated(self, sandbox: Sandbox) -> None:
        """They have."""

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """Its containers have ended. Its network is still there."""

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """It is removed."""

    async def create_container(self, spec: Spec, sandbox: Sandbox, container: Container) -> Container:  # noqa: ARG002
        """Change the spec in place. Returns the record, which is not visible yet, with the resources as they are."""
        return container

    async def container_created(self, sandbox: Sandbox, container: Container) -> None:
        """It is visible."""

    async def start_container(self, sandbox: Sandbox, container: Container) -> None:
        """It is about to start."""

    async def container_started(self, sandbox: Sandbox, container: Container) -> None:
        """It runs."""

    async def update_container(self, sandbox: Sandbox, container: Container, change: Resources) -> Resources:  # noqa: ARG002
        """Its resources are about to change. Returns the change to make."""
        return change

    async def container_updated(self, sandbox: Sandbox, container: Container) -> None:
        """They have."""

    async def stop_container(self, sandbox: Sandbox, container: Container) -> None:
        """It has ended."""

    async def remove_container(self, sandbox: Sandbox, container: Container) -> None:
        """It is removed."""


class LifeCycles:
    """All listeners, in the order in which they are called."""

    def __init__(self, *listeners: LifeCycle) -> None:
        self._listeners = listeners
        self._holds = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_open = asyncio.Event()
        self._is_open.set()

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nobody is `alone` during the block. Blocks may be inside others."""
        if not self._listeners:
            yield
            return
        while not self._is_open.is_set():
            await self._is_open.wait()
        self._holds += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._idle.set()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nothing changes during the block. Waits until no request is under way, which it does not hold up."""
        while not (self._idle.is_set() and self._is_open.is_set()):
            await self._idle.wait()
            await self._is_open.wait()
        self._is_open.clear()
        try:
            yield
        finally:
            self._is_open.set()

    async def create_container(self, spec: Spec, sandbox: Sandbox, container: Container) -> Container:
        for each in self._listeners:
            container = await each.create_container(spec, sandbox, container)
        return container

    async def update_container(self, sandbox: Sandbox, container: Container, change: Resources) -> Resources:
        for each in self._listeners:
            change = await each.update_container(sandbox, container, change)
        return change

    async def pull_image(self, reference: str) -> None:
        for each in self._listeners:
            await each.pull_image(reference)

    async def image_pulled(self, reference: str, image: Image) -> None:
        await self._tell(lambda each: each.image_pulled(reference, image))

    async def run_sandbox(self, sandbox: Sandbox) -> None:
        for each in self._listeners:
            await each.run_sandbox(sandbox)

    async def networked(self, sandbox: Sandbox, attachment: Attachment) -> None:
        for each in self._listeners:
            await each.networked(sandbox, attachment)

    async def update_sandbox(self, sandbox: Sandbox, overhead: Resources | None, resources: Resources | None) -> None:
        for each in self._listeners:
            await each.update_sandbox(sandbox, overhead, resources)

    async def start_container(self, sandbox: Sandbox, container: Container) -> None:
        for each in self._listeners:
            await each.start_container(sandbox, container)

    async def sandbox_updated(self, sandbox: Sandbox) -> None:
        await self._tell(lambda each: each.sandbox_updated(sandbox))

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        await self._tell(lambda each: each.stop_sandbox(sandbox))

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        await self._tell(lambda each: each.remove_sandbox(sandbox))

    async def container_created(self, sandbox: Sandbox, container: Container) -> None:
        await self._tell(lambda each: each.container_created(sandbox, container))

    async def container_started(self, sandbox: Sandbox, container: Container) -> None:
        await self._tell(lambda each: each.container_started(sandbox, container))

    async def container_updated(self, sandbox: Sandbox, container: Container) -> None:
        await self._tell(lambda each: each.container_updated(sandbox, container))

    async def stop_container(self, sandbox: Sandbox, container: Container) -> None:
        await self._tell(lambda each: each.stop_container(sandbox, container))

    async def remove_container(self, sandbox: Sandbox, container: Container) -> None:
        await self._tell(lambda each: each.remove_container(sandbox, container))

    async def _tell(self, tell: Callable[[LifeCycle], Awaitable[None]]) -> None:
        for each in self._listeners:
            try:
                await tell(each)
            except PodwrightError as failure:
                log.warning("a listener fails: listener=%s error=%s", type(each).__name__, failure)
