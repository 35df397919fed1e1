"""Hooks of Python packages: listeners of the life cycle that run in the daemon.

A package names a class or a function without arguments in its entry points. What it makes is a `lifecycle.LifeCycle`:

    [project.entry-points."podwright.hooks"]
    audit = "my_package:Audit"

The configuration says which are used, and their order. Each call has a deadline. What a hook raises, or a deadline
that passes, fails the request where a listener may do that, and is logged elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError
from podwright.runtime.config import HookSettings
from podwright.runtime.entry_points import offers
from podwright.runtime.lifecycle import LifeCycle, Spec
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.image import Image
from podwright.runtime.model.sandbox import Attachment, Sandbox

Answer = TypeVar("Answer")

ENTRY_POINTS = "podwright.hooks"


def load(settings: HookSettings) -> list[LifeCycle]:
    """The hooks of the configuration, in its order. Nothing else is imported.

    Raises FailedPrecondition for one that there is not, or that cannot be made: the administrator wants it to see
    every container.
    """
    return [BoundedHook(name, _made(name), settings.timeout_s) for name in settings.enabled]


def _made(name: str) -> LifeCycle:
    installed = offers(ENTRY_POINTS)
    found = [offer for offer in installed if offer.name == name]
    if not found:
        known = ", ".join(sorted(offer.name for offer in installed)) or "none"
        raise FailedPrecondition(f"hook {name!r} of [hooks] is not installed", hint=f"installed hooks: {known}")
    try:
        made = found[0].load()()
    except Exception as failure:
        raise FailedPrecondition(f"hook {name!r} cannot be made: {type(failure).__name__}: {failure}") from failure
    if not isinstance(made, LifeCycle):
        raise FailedPrecondition(f"hook {name!r} makes {type(made).__name__}, which is not a LifeCycle")
    return made


class BoundedHook(LifeCycle):
    """One hook: its calls end in time, and raise errors of our tree alone."""

    def __init__(self, name: str, hook: LifeCycle, timeout_s: float) -> None:
        self._name = name
        self._hook = hook
        self._timeout_s = timeout_s

    async def _call(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        with self._as_our_errors():
            async with asyncio.timeout(self._timeout_s):
                return await call()

    @contextlib.contextmanager
    def _as_our_errors(self) -> Iterator[None]:
        try:
            yield
        except PodwrightError as failure:
            raise type(failure)(f"hook {self._name}: {failure.message}", hint=failure.hint) from failure
        except TimeoutError as late:
            raise DeadlineExceeded(f"hook {self._name} did not end within {self._timeout_s:g} s") from late
        except Exception as failure:
            raise FailedPrecondition(f"hook {self._name} fails: {type(failure).__name__}: {failure}") from failure

    def _checked(self, made: Answer, kind: type[Answer]) -> Answer:
        if not isinstance(made, kind):
            raise FailedPrecondition(f"hook {self._name} returns {type(made).__name__}, not {kind.__name__}")
        return made

    async def pull_image(self, reference: str) -> None:
        await self._call(lambda: self._hook.pull_image(reference))

    async def image_pulled(self, reference: str, image: Image) -> None:
        await self._call(lambda: self._hook.image_pulled(reference, image))

    async def run_sandbox(self, sandbox: Sandbox) -> None:
        await self._call(lambda: self._hook.run_sandbox(sandbox))

    async def networked(self, sandbox: Sandbox, attachment: Attachment) -> None:
        await self._call(lambda: self._hook.networked(sandbox, attachment))

    async def update_sandbox(self, sandbox: Sandbox, overhead: Resources | None, resources: Resources | None) -> None:
        await self._call(lambda: self._hook.update_sandbox(sandbox, overhead, resources))

    async def sandbox_updated(self, sandbox: Sandbox) -> None:
        await self._call(lambda: self._hook.sandbox_updated(sandbox))

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        await self._call(lambda: self._hook.stop_sandbox(sandbox))

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        await self._call(lambda: self._hook.remove_sandbox(sandbox))

    async def create_container(self, spec: Spec, sandbox: Sandbox, container: Container) -> Container:
        made = await self._call(lambda: self._hook.create_container(spec, sandbox, container))
        return self._checked(made, Container)

    async def container_created(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.container_created(sandbox, container))

    async def start_container(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.start_container(sandbox, container))

    async def container_started(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.container_started(sandbox, container))

    async def update_container(self, sandbox: Sandbox, container: Container, change: Resources) -> Resources:
        made = await self._call(lambda: self._hook.update_container(sandbox, container, change))
        return self._checked(made, Resources)

    async def container_updated(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.container_updated(sandbox, container))

    async def stop_container(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.stop_container(sandbox, container))

    async def remove_container(self, sandbox: Sandbox, container: Container) -> None:
        await self._call(lambda: self._hook.remove_container(sandbox, container))
