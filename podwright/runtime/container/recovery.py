"""What became of the containers while no daemon was there: records against reality, once, at start."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from podwright.errors import DeadlineExceeded
from podwright.runtime.container import place, staging
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.running import ContainerRunner
from podwright.runtime.handlers.protocol import UNKNOWN, UNKNOWN_CODE, Task, TaskState, TaskStatus
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.timeline import Step

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 32  # calls of OCI runtimes; the larger ones take 20 MB each
NO_STATUS = TaskStatus(state=TaskState.NONE)


async def recover(env: ContainerEnvironment, runner: ContainerRunner, *, rebooted: bool) -> frozenset[ContainerId]:
    """Compare every record with reality, and correct it. Returns the ids of those that run.

    The crash may have left the start of those without an answer. Containers are handled side by side: one whose
    runtime hangs delays no other. `rebooted`: no process on record exists any more, whoever has its number.
    """
    slots = asyncio.Semaphore(ASKED_AT_ONCE)
    running = await asyncio.gather(*(_recover(env, runner, each, slots, rebooted=rebooted) for each in env.store))
    await _remove_unknown(env)
    return frozenset(container_id for container_id in running if container_id is not None)


async def _recover(
    env: ContainerEnvironment,
    runner: ContainerRunner,
    container: Container,
    slots: asyncio.Semaphore,
    *,
    rebooted: bool,
) -> ContainerId | None:
    """One record; its id when the container runs."""
    if container.state is ContainerState.CREATING or env.sandboxes.find(container.sandbox_id) is None:
        await forget(env, container)
        return None
    if container.state is ContainerState.EXITED:
        return None
    handler = env.handler_of_record(container)
    task = await handler.adopt(env.bundle(container), container.task, rebooted=rebooted)
    if task is not None and container.state is ContainerState.RUNNING:
        env.tasks[container.id] = task
        runner.watch(container, task)
        return container.id
    if container.state is ContainerState.RUNNING:
        _record_lost(env, container)
        return None
    if task is not None:
        async with slots:
            if await _adopt_started(env, runner, container, task):
                return container.id
    if not await asyncio.to_thread(place.is_whole, env.paths(container.id)):
        write_off(env, container, "its files were lost")
    return None


def _record_lost(env: ContainerEnvironment, container: Container) -> None:
    """A container that ran, and that its handler knows nothing of any more."""
    log.warning("a container is lost: id=%s", container.id[:12])
    env.store.observe(
        msgspec.structs.replace(
            container,
            state=ContainerState.EXITED,
            finished_at=env.store.now(),
            exit_code=UNKNOWN_CODE,
            reason=UNKNOWN,
            message="its runtime handler knows nothing of it",
        )
    )


def write_off(env: ContainerEnvironment, container: Container, why: str) -> None:
    """A container that can never be started any more has ended: a kubelet makes another one then."""
    container = env.store.get(container.id)
    if container.state is not ContainerState.CREATED:
        return
    log.warning("a container is written off: id=%s reason=%s", container.id[:12], why)
    env.store.observe(
        msgspec.structs.replace(
            container,
            state=ContainerState.EXITED,
            finished_at=env.store.now(),
            exit_code=UNKNOWN_CODE,
            reason=UNKNOWN,
            message=f"it was not started yet when {why}",
        )
    )


async def _adopt_started(env: ContainerEnvironment, runner: ContainerRunner, container: Container, task: Task) -> bool:
    """Whether a CREATED container whose start was interrupted runs; else nothing of the start is left."""
    status = await _status(container, task)
    if status.state is TaskState.RUNNING:
        log.info("adopting a container whose start was interrupted: id=%s", container.id[:12])
        record = msgspec.structs.replace(
            container,
            state=ContainerState.RUNNING,
            started_at=env.store.now(),
            pid=status.pid or 0,
            task=task.record,
        )
        env.tasks[container.id] = task
        runner.watch(env.store.put(record), task)
        return True
    log.info("taking back an interrupted start: id=%s", container.id[:12])
    await task.delete()
    env.store.put(msgspec.structs.replace(container, task={}))
    return False


async def _status(container: Container, task: Task) -> TaskStatus:
    try:
        return await task.status()
    except DeadlineExceeded as failure:
        log.warning("an interrupted start is taken back unseen: id=%s error=%s", container.id[:12], failure)
        return NO_STATUS


async def forget(env: ContainerEnvironment, container: Container) -> None:
    """Delete a container that ended, or that was never whole, with everything it has but its log."""
    with Step("files"):
        await asyncio.to_thread(place.unmake, env.paths(container.id))
    env.images.release(container.id)
    env.store.delete(container.id)


async def _remove_unknown(env: ContainerEnvironment) -> None:
    """Directories that no record knows of, and what was made ready for creates that a crash interrupted."""
    await asyncio.to_thread(staging.clear_all, env.state)
    for folder, mode in ((f"{env.state}/containers", 0o711), (f"{env.root}/containers", 0o700)):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, mode)  # pods with users of their own pass through the bundles' folder
        for name in os.listdir(folder):
            if env.store.find(name) is None:
                log.warning("removing an unknown container's directory: id=%s", name[:12])
                await asyncio.to_thread(place.unmake, env.paths(ContainerId(name)))
    await env.handlers.sweep({container.id for container in env.store})
