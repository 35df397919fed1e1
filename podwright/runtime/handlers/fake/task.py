"""A container of the fake host, as a `Task`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator

from podwright.errors import DeadlineExceeded, FailedPrecondition, RuntimeFailed
from podwright.process import Completed
from podwright.runtime.handlers.fake.host import FakeAttached, FakeContainer, FakeExec, FakeHost, FakeProgram
from podwright.runtime.handlers.protocol import (
    UNKNOWN,
    UNKNOWN_CODE,
    Attached,
    Bundle,
    Exec,
    ExecProcess,
    Exit,
    HandlerRecord,
    TaskState,
    TaskStatus,
)
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import Usage


class FakeTask:
    """A Task in memory."""

    cgroup = None

    def __init__(self, host: FakeHost, bundle: Bundle, record: HandlerRecord) -> None:
        self._host = host
        self._bundle = bundle
        self.record = record

    @property
    def _container(self) -> FakeContainer:
        container = self._host.containers.get(self._bundle.id)
        if container is None:
            raise FailedPrecondition(f"container {self._bundle.id[:12]} does not exist any more")
        return container

    async def start(self) -> int | None:
        self._container.start()
        return None

    async def status(self) -> TaskStatus:
        container = self._host.containers.get(self._bundle.id)
        return TaskStatus(state=TaskState.NONE if container is None else container.state)

    async def wait(self) -> Exit:
        if self._bundle.id not in self._host.containers:
            return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=time.time_ns())
        return await self._container.wait()

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        container = self._container
        container.paused = False
        container.program.end(128 + number)
        if everyone:
            for command in container.commands:
                command.end(128 + number)

    async def pids(self) -> frozenset[int]:
        return frozenset()

    async def pause(self) -> None:
        if self._container.state is not TaskState.RUNNING:
            raise FailedPrecondition(f"container {self._bundle.id[:12]} has ended")
        self._container.paused = True

    async def resume(self) -> None:
        self._container.paused = False

    async def is_paused(self) -> bool:
        return self._container.paused

    async def held_memory_bytes(self) -> int | None:
        return None

    @contextlib.asynccontextmanager
    async def update(self, before: Resources, now: Resources) -> AsyncIterator[None]:
        self._container.resources = now
        try:
            yield
        except BaseException:
            self._container.resources = before
            raise

    async def exec(self, process: ExecProcess) -> Exec:
        program = self._run(process)
        return FakeExec(program, stdin=process.stdin)

    async def exec_sync(self, process: ExecProcess, *, timeout_s: float, output_limit_bytes: int) -> Completed:
        program = self._run(process)
        try:
            async with asyncio.timeout(timeout_s or None):
                code = await asyncio.shield(program.ended)
        except TimeoutError as late:
            program.end(128 + signal.SIGKILL)
            raise DeadlineExceeded(f"exec in container {self._bundle.id[:12]} did not end in time") from late
        return Completed(returncode=code, stdout=b"".join(program.output)[:output_limit_bytes], stderr=b"")

    def _run(self, process: ExecProcess) -> FakeProgram:
        program = FakeProgram(process.spec["args"])
        self._container.commands.append(program)
        program.run()
        return program

    async def attach(self) -> Attached:
        return FakeAttached(self._container)

    async def reopen_log(self) -> None:
        pass

    async def stats(self) -> Usage | None:
        return Usage(timestamp=time.time_ns())

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:
        raise RuntimeFailed(f"container {self._bundle.id[:12]}: there is no process to write to {images}")

    async def delete(self) -> None:
        container = self._host.containers.pop(self._bundle.id, None)
        if container is not None:
            container.program.end(128 + signal.SIGKILL)
            await container.tasks.close()

    async def close(self) -> None:
        pass
