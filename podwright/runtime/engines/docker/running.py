r"""StartContainer, and the end of started containers, as the Engine tells it.

CREATED --start--> RUNNING --the Engine says that it has ended, or does not know it--> EXITED
   \------------- start fails -------------> EXITED (StartError, 128)
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.runtime.container import targets
from podwright.runtime.container.ending import failed_start, record_end, unknown_end
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.host import EngineRecord
from podwright.runtime.engines.docker.process_user import user_of
from podwright.runtime.engines.docker.state import EngineState
from podwright.runtime.handlers.processes import log_files, memory
from podwright.runtime.handlers.protocol import COMPLETED, ERROR, Exit
from podwright.runtime.insisting import insist
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.sandbox import SandboxState
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

KILLED_CODE = 137


class EngineRunner:
    """Starts containers and records their ends."""

    def __init__(self, env: EngineEnvironment) -> None:
        self._env = env
        self._turns: KeyedLocks[ContainerId] = KeyedLocks()
        self._ended: dict[ContainerId, asyncio.Event] = {}
        self._tasks = Tasks()

    async def start(self, container: Container) -> None:
        """Run a CREATED container. Raises FailedPrecondition and what the Engine raises. On failure it is EXITED."""
        env = self._env
        sandbox = env.sandboxes.get(container.sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="create a new sandbox")
        async with self._turns[container.id]:
            try:
                targets.target_of(env.store, sandbox.id, container.config)  # it must still run
                if container.log_path:
                    await asyncio.to_thread(log_files.make, container.log_path)
                await env.host.start(container.id)
                state = await self._inspected(container)
                record = self._record_start(container, state)
            except BaseException as failure:
                await asyncio.shield(self._fail(container.id, failure))
                raise
        log.info("container is running: id=%s pid=%s", container.id[:12], record.pid)
        if not state.runs:
            self.look(container.id)

    async def _inspected(self, container: Container) -> EngineState:
        state = await self._env.host.inspect(container.id)
        if state is None:
            raise FailedPrecondition(f"container {container.id[:12]} was removed from the Docker Engine")
        return state

    def _record_start(self, container: Container, state: EngineState) -> Container:
        env = self._env
        container = env.store.get(container.id)
        part = EngineRecord.of(container.task)
        record = env.store.put(
            msgspec.structs.replace(
                container,
                state=ContainerState.RUNNING,
                started_at=env.store.now(),
                pid=state.pid,
                user=user_of(state.pid) or container.user,
                task=msgspec.structs.replace(part, log=state.log_path).part,
            )
        )
        self.follow(record)
        return record

    def follow(self, container: Container) -> None:
        """Copy the log of a RUNNING container, and let `exited` wait for its end."""
        self._ended.setdefault(container.id, asyncio.Event())
        source = EngineRecord.of(container.task).log
        if not container.log_path or not source:
            return
        try:
            self._env.logs.start(container.id, source, container.log_path)
        except (OSError, PodwrightError) as failure:
            log.warning("cannot copy log: id=%s error=%s", container.id[:12], failure)

    def follows(self, container_id: ContainerId) -> bool:
        """Whether it knows that the container runs."""
        return container_id in self._ended

    async def _fail(self, container_id: ContainerId, failure: BaseException) -> None:
        """Record why a start failed. The Engine's container stays until it is removed, but does not run."""
        try:
            await self._env.host.kill(container_id, 9)
        except PodwrightError as also:
            log.warning("cannot kill after a failed start: id=%s error=%s", container_id[:12], also)
        store = self._env.store
        self._note_end(store.get(container_id), failed_start(failure, store.now()))

    def look(self, container_id: ContainerId) -> None:
        """Find out in the background whether a container has ended, until the Engine says it."""
        what = f"recording the end of container {container_id[:12]}"
        self._tasks.start(insist(lambda: self.observe(container_id), what), name=what)

    async def observe(self, container_id: ContainerId) -> None:
        """Compare a record with the Engine and correct it. Raises as EngineHost does."""
        async with self._turns[container_id]:
            container = self._env.store.find(container_id)
            if container is None or container.state is ContainerState.CREATING:
                return
            if container.state is ContainerState.EXITED:
                return
            state = await self._env.host.inspect(container_id)
            if state is None:
                await self._end(container, _lost(container, self._env.store.now()))
            elif state.runs and container.state is ContainerState.CREATED:
                log.info("adopting container whose start was interrupted: id=%s", container_id[:12])
                self._record_start(container, state)
            elif state.runs:
                self.follow(container)
            elif not state.is_created or container.state is ContainerState.RUNNING:
                await self._end(container, await self._exit(container, state), state)

    async def _exit(self, container: Container, state: EngineState) -> Exit:
        end = Exit(
            code=state.exit_code,
            reason=ERROR if state.exit_code else COMPLETED,
            finished_at=state.finished_at or self._env.store.now(),
            message=state.error,
        )
        if not state.oom_killed and state.exit_code != KILLED_CODE:
            return end
        kills = await memory.seen(self._env.cgroups, container.cgroup, reported=state.oom_killed)
        return memory.judge(end, container.pid, kills)

    async def _end(self, container: Container, end: Exit, state: EngineState | None = None) -> None:
        """Record the end, after all of the log is written."""
        if state is not None and container.state is ContainerState.CREATED:  # it ran while no daemon did
            container = self._record_start(container, state)
        if state is not None:
            self.follow(container)  # unless it is: a daemon that has just begun has the rest of the log to copy
        await self._env.logs.finish(container.id)
        self._note_end(self._env.store.get(container.id), end)

    def _note_end(self, container: Container, end: Exit) -> None:
        record_end(self._env.store, container, end)
        if (ended := self._ended.pop(container.id, None)) is not None:
            ended.set()
        log.info("container has exited: id=%s code=%d reason=%s", container.id[:12], end.code, end.reason)

    async def exited(self, container_id: ContainerId) -> None:
        """Wait until the end of the container is recorded. Returns at once if it is not running."""
        if (ended := self._ended.get(container_id)) is not None:
            await ended.wait()

    async def close(self) -> None:
        """Stop looking. Containers keep running."""
        await self._tasks.close()


def _lost(container: Container, now: int) -> Exit:
    """The end of a container that somebody else has removed."""
    log.warning("container was removed from the Docker Engine by another client: id=%s", container.id[:12])
    return unknown_end("it was removed from the Docker Engine by another client", now)
