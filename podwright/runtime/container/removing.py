"""RemoveContainer: the end of everything that belongs to a container, except its log."""

from __future__ import annotations

import asyncio

from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.filesystem.root import unmake
from podwright.runtime.container.running import ContainerRunner
from podwright.runtime.model.container import Container
from podwright.timeline import Step


async def remove(env: ContainerEnvironment, runner: ContainerRunner, container: Container) -> None:
    """Remove a container that does not run. Raises what its handler raises, and OSError."""
    async with env.life.held():
        await runner.delete(container)
        if env.life:
            await env.life.remove_container(env.sandboxes.record(container.sandbox_id), container)
        await forget(env, container)


async def forget(env: ContainerEnvironment, container: Container) -> None:
    """Delete the files and the record of a container whose task is gone, and release its images."""
    with Step("files"):
        await asyncio.to_thread(unmake, env.paths(container.id))
    env.images.release(container.id)
    env.store.delete(container.id)
