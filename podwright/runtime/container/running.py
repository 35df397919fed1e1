r"""StartContainer, and the end of started containers.

CREATED --start--> RUNNING --its task ends--> EXITED
   \------------- start fails -------------> EXITED (StartError, 128)
"""

from __future__ import annotations

import asyncio
import logging
import shutil

import msgspec

from podwright.errors import FailedPrecondition, RuntimeFailed
from podwright.linux.files import check_space
from podwright.runtime.container import targets
from podwright.runtime.container.ending import failed_start, record_end
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.filesystem import staging
from podwright.runtime.handlers.protocol import HandlerRecord, Task
from podwright.runtime.insisting import insist
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.sandbox import SandboxState
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class ContainerRunner:
    """Starts containers and watches each running one."""

    def __init__(self, env: ContainerEnvironment) -> None:
        self._env = env
        self._watches: dict[ContainerId, asyncio.Task[None]] = {}
        self._tasks = Tasks()

    async def start(self, container: Container) -> None:
        """Run a CREATED container. Raises FailedPrecondition and what the handler raises. On failure it is EXITED."""
        async with self._env.life.held():
            await self._start(container)

    async def _start(self, container: Container) -> None:
        env = self._env
        sandbox = env.sandboxes.get(container.sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="create a new sandbox")
        handler = env.handler_of(container)
        try:
            targets.target_of(env.store, sandbox.id, container.config)  # it must still run
            if env.life:
                await env.life.start_container(sandbox, container)
            async with staging.ready(env.paths(container.id), env.sandboxes.users):
                # Before any await, so that a failure from here on finds the task and deletes it.
                task = env.tasks[container.id] = await handler.create(
                    env.bundle(container), lambda record: self._note(container.id, record)
                )
            pid = await task.start()
            record = env.store.put(
                msgspec.structs.replace(
                    env.store.get(container.id),
                    state=ContainerState.RUNNING,
                    started_at=env.store.now(),
                    pid=pid or 0,
                    task=task.record,
                )
            )
        except BaseException as failure:
            await asyncio.shield(self._fail(container.id, failure))
            if isinstance(failure, RuntimeFailed):
                check_space(env.paths(container.id).bundle)
            raise
        self.watch(record, task)
        if container.is_restored:  # its memory is restored, so the images are not needed
            await asyncio.to_thread(shutil.rmtree, env.paths(container.id).checkpoint, ignore_errors=True)
        if env.life:
            await env.life.container_started(sandbox, record)
        log.info("container is running: id=%s pid=%s", container.id[:12], pid)

    def _note(self, container_id: ContainerId, record: HandlerRecord) -> None:
        """Commit the handler's record before the task exists, so that the handler finds the task after a crash."""
        self._env.store.put(msgspec.structs.replace(self._env.store.get(container_id), task=record))

    async def _fail(self, container_id: ContainerId, failure: BaseException) -> None:
        """Remove everything of a failed start, and record why it failed."""
        if (task := self._env.tasks.pop(container_id, None)) is not None:
            await task.delete()
        store = self._env.store
        record_end(store, store.get(container_id), failed_start(failure, store.now()))
        log.info("container did not start: id=%s error=%s", container_id[:12], failure)

    def watch(self, container: Container, task: Task) -> None:
        """Record the end of a RUNNING container when it comes."""
        what = f"recording the end of container {container.id[:12]}"
        watch = self._tasks.start(insist(lambda: self._record_exit(container.id, task), what), name=what)
        self._watches[container.id] = watch
        watch.add_done_callback(lambda _: self._watches.pop(container.id, None))

    async def _record_exit(self, container_id: ContainerId, task: Task) -> None:
        env = self._env
        if env.store.find(container_id) is None:
            return
        end = await task.wait()
        async with env.life.held():
            ended = record_end(env.store, env.store.get(container_id), end)  # read now: limits may have changed
            log.info("container has exited: id=%s code=%d reason=%s", container_id[:12], end.code, end.reason)
            if env.life:
                await env.life.stop_container(env.sandboxes.record(ended.sandbox_id), ended)

    async def exited(self, container_id: ContainerId) -> None:
        """Wait until the end of the container is recorded. Returns at once if it is not running."""
        watch = self._watches.get(container_id)
        if watch is not None:
            await asyncio.shield(watch)

    async def delete(self, container: Container) -> None:
        """Remove what the handler and the kernel keep of a container that does not run."""
        task = self._env.tasks.get(container.id)
        if task is None:
            task = await self._env.handler_of_record(container).adopt(self._env.bundle(container), container.task)
        if task is not None:
            await task.delete()
        self._env.tasks.pop(container.id, None)

    async def close(self) -> None:
        """Stop watching. Containers and their tasks keep running."""
        await self._tasks.close()
        for task in self._env.tasks.values():
            await task.close()
