"""Recovery of containers, once at start: compares the records with the host."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from podwright.errors import DeadlineExceeded
from podwright.runtime.container import removing
from podwright.runtime.container.ending import record_end, unknown_end, write_off
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.filesystem import staging
from podwright.runtime.container.filesystem.root import is_whole, unmake
from podwright.runtime.container.running import ContainerRunner
from podwright.runtime.handlers.protocol import Task, TaskState, TaskStatus
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 32  # concurrent calls of OCI runtimes, which take up to 20 MB each
NO_STATUS = TaskStatus(state=TaskState.NONE)


async def recover(env: ContainerEnvironment, runner: ContainerRunner, *, rebooted: bool) -> frozenset[ContainerId]:
    """Compare every record with the host and correct it. Returns the ids of running containers.

    The daemon may have been killed before it answered their StartContainer. Containers are handled concurrently, so a
    runtime that hangs for one delays no other. With `rebooted`, no recorded process exists, even if its PID does.
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
    """Recover one record. Returns the id if the container runs."""
    if container.state is ContainerState.CREATING or env.sandboxes.find(container.sandbox_id) is None:
        await removing.forget(env, container)
        return None
    if container.state is ContainerState.EXITED:
        return None
    task = await _adopt(env, container, rebooted=rebooted)
    if task is not None and container.state is ContainerState.RUNNING:
        env.tasks[container.id] = task
        runner.watch(container, task)
        return container.id
    if container.state is ContainerState.RUNNING:
        log.warning("container is lost: id=%s", container.id[:12])
        record_end(env.store, container, unknown_end("its runtime handler does not know it", env.store.now()))
        return None
    if task is not None:
        async with slots:
            if await _adopt_started(env, runner, container, task):
                return container.id
    if not await asyncio.to_thread(is_whole, env.paths(container.id)):
        write_off(env.store, container, "its files were lost")
    return None


async def _adopt(env: ContainerEnvironment, container: Container, *, rebooted: bool) -> Task | None:
    """The task, or None if its handler does not know it. Another package's may fail, which costs only its own pods."""
    try:
        handler = env.handler_of_record(container)
        return await handler.adopt(env.bundle(container), container.task, rebooted=rebooted)
    except Exception:
        if not env.handlers.is_foreign(env.sandboxes.record(container.sandbox_id).handler):
            raise
        log.exception("a handler does not adopt a container: id=%s", container.id[:12])
        return None


async def _adopt_started(env: ContainerEnvironment, runner: ContainerRunner, container: Container, task: Task) -> bool:
    """Adopt a CREATED container whose interrupted start succeeded, or undo the start. Returns whether it runs."""
    status = await _status(container, task)
    if status.state is TaskState.RUNNING:
        log.info("adopting container whose start was interrupted: id=%s", container.id[:12])
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
    log.info("undoing interrupted start: id=%s", container.id[:12])
    await task.delete()
    env.store.put(msgspec.structs.replace(container, task={}))
    return False


async def _status(container: Container, task: Task) -> TaskStatus:
    try:
        return await task.status()
    except DeadlineExceeded as failure:
        log.warning("cannot inspect interrupted start, undoing it: id=%s error=%s", container.id[:12], failure)
        return NO_STATUS


async def _remove_unknown(env: ContainerEnvironment) -> None:
    """Remove directories without a record, and mounts prepared for a create that a crash interrupted."""
    await asyncio.to_thread(staging.clear_all, env.state)
    for folder, mode in ((f"{env.state}/containers", 0o711), (f"{env.root}/containers", 0o700)):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, mode)  # pods with a user namespace need to traverse the folder of bundles
        for name in os.listdir(folder):
            if env.store.find(name) is None:
                log.warning("removing directory of unknown container: id=%s", name[:12])
                await asyncio.to_thread(unmake, env.paths(ContainerId(name)))
    await env.handlers.sweep({container.id for container in env.store})
