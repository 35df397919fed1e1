"""A handler in memory, for tests without root: it runs no program, but behaves as one that does.

It knows the few programs that the suite of handlers uses (`sleep`, `cat`, `echo`, `sh -c 'exit N'`). As a handler of
virtual machines would, it has no PIDs and no cgroups on this host, and writes its own log.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from podwright.errors import DeadlineExceeded, FailedPrecondition, RuntimeFailed
from podwright.process import Completed
from podwright.runtime.handlers.protocol import (
    COMPLETED,
    ERROR,
    UNKNOWN,
    UNKNOWN_CODE,
    Attached,
    Bundle,
    Capabilities,
    Exec,
    ExecProcess,
    Exit,
    Handler,
    HandlerRecord,
    Note,
    OutputStream,
    SandboxBundle,
    SandboxProcess,
    Sink,
    Source,
    Task,
    TaskState,
    TaskStatus,
)
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.usage import Usage
from podwright.tasks import Tasks

PROGRAMS = frozenset({"sleep", "cat", "echo", "sh"})


class FakeHost:
    """What outlives a daemon: the containers and the first processes of pods, by their ids."""

    def __init__(self) -> None:
        self.containers: dict[str, FakeContainer] = {}
        self.sandboxes: dict[str, asyncio.Event] = {}  # set when the process has ended


class FakeProgram:
    """A program at work: input goes in, output comes out, and it ends by itself or by a signal."""

    def __init__(self, argv: list[str]) -> None:
        """Raises RuntimeFailed for a program that there is not."""
        if argv[0] not in PROGRAMS:
            raise RuntimeFailed(f"executable file {argv[0]!r} not found")
        self._argv = argv
        self.output: deque[bytes] = deque()
        self.news = asyncio.Event()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def run(self) -> None:
        """What it does before it waits for anything."""
        match self._argv:
            case ["echo", *arguments]:
                self.put(" ".join(arguments).encode() + b"\n")
                self.end(0)
            case ["sh", "-c", script]:
                self.end(int(script.removeprefix("exit ")))
            case _:
                return

    def put(self, data: bytes) -> None:
        """Output, unless it has ended."""
        if not self.ended.done():
            self.output.append(data)
            self.news.set()

    def take_input(self, data: bytes) -> None:
        """`cat` gives it back."""
        if self._argv[0] == "cat":
            self.put(data)

    def end_input(self) -> None:
        """`cat` ends."""
        if self._argv[0] == "cat":
            self.end(0)

    def end(self, code: int) -> None:
        """The end, once."""
        if not self.ended.done():
            self.ended.set_result(code)
            self.news.set()

    async def read(self) -> bytes:
        """The next output; empty at the end."""
        while not self.output:
            if self.ended.done():
                return b""
            self.news.clear()
            await self.news.wait()
        return self.output.popleft()


class FakeContainer:
    """A container of the fake host."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises RuntimeFailed for a program that there is not."""
        with open(f"{bundle.directory}/config.json", "rb") as file:
            self.program = FakeProgram(json.load(file)["process"]["args"])
        self.bundle = bundle
        self.state = TaskState.CREATED
        self.paused = False
        self.resources: Resources | None = None
        self.commands: list[FakeProgram] = []
        self.clients: list[FakeAttached] = []
        self.end: Exit | None = None
        self.tasks = Tasks()

    def start(self) -> None:
        """Run the program, and write what it says to the log."""
        self.state = TaskState.RUNNING
        os.makedirs(os.path.dirname(self.bundle.log_path) or ".", exist_ok=True)
        self.program.run()
        self.tasks.start(self._write_log(), name=f"log of {self.bundle.id[:12]}")
        self.program.ended.add_done_callback(self._on_end)

    def _on_end(self, ended: asyncio.Future[int]) -> None:
        code = ended.result()
        self.state = TaskState.STOPPED
        self.end = Exit(code=code, reason=ERROR if code else COMPLETED, finished_at=time.time_ns())
        for command in self.commands:
            command.end(128 + signal.SIGKILL)

    async def _write_log(self) -> None:
        while data := await self.program.read():
            if self.bundle.log_path:
                with open(self.bundle.log_path, "a", encoding="utf-8") as file:
                    file.write(f"2026-01-01T00:00:00.000000000Z stdout F {data.decode()}")
            for client in self.clients:
                client.put(data)
        for client in self.clients:
            client.put(b"")

    async def wait(self) -> Exit:
        """The end, once its output is in the log."""
        while self.end is None or len(self.tasks):
            await asyncio.wait({self.program.ended})
            await asyncio.sleep(0)
        return self.end


class FakeAttached:
    """One client."""

    def __init__(self, container: FakeContainer) -> None:
        self._container = container
        self._output: asyncio.Queue[bytes] = asyncio.Queue()
        container.clients.append(self)

    def put(self, data: bytes) -> None:
        """Output; empty at the end."""
        self._output.put_nowait(data)

    async def read(self) -> tuple[OutputStream, bytes] | None:
        data = await self._output.get()
        return (OutputStream.STDOUT, data) if data else None

    async def write(self, data: bytes) -> None:
        if self._container.bundle.stdin:
            self._container.program.take_input(data)

    async def end_input(self) -> bool:
        if not self._container.bundle.stdin_once:
            return False
        self._container.program.end_input()
        return True

    def resize(self, width: int, height: int) -> None:
        pass

    def close(self) -> None:
        if self in self._container.clients:
            self._container.clients.remove(self)
        self.put(b"")


class FakeExec:
    """A process in a container."""

    def __init__(self, program: FakeProgram, *, stdin: bool) -> None:
        self._program = program
        self.stdin: Sink | None = self if stdin else None
        self.stdout: Source | None = program
        self.stderr: Source | None = None

    async def write(self, data: bytes) -> None:
        self._program.take_input(data)

    async def wait(self) -> int:
        return await asyncio.shield(self._program.ended)

    def resize(self, width: int, height: int) -> None:
        pass

    async def end_input(self) -> None:
        self._program.end_input()

    def hang_up(self) -> None:
        self._program.end_input()

    async def end(self) -> None:
        self._program.end(128 + signal.SIGKILL)


class FakeTask:
    """See Task."""

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


class FakeHandler:
    """See Handler. Another one on the same host is that of a new daemon."""

    def __init__(self, host: FakeHost, name: str = "fake", capabilities: Capabilities | None = None) -> None:
        self.name = name
        self.capabilities = capabilities or Capabilities()
        self._host = host
        self._numbers = itertools.count(1)

    async def probe(self) -> None:
        pass

    def check(self, bundle: Bundle) -> None:
        pass

    async def edit(self, spec: dict[str, Any], container: Container, /) -> None:
        pass

    async def create(self, bundle: Bundle, note: Note) -> Task:
        container = FakeContainer(bundle)
        record = {"number": next(self._numbers)}
        note(record)
        self._host.containers[bundle.id] = container
        return FakeTask(self._host, bundle, record)

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        if not record:
            return None
        if rebooted and (gone := self._host.containers.pop(bundle.id, None)) is not None:
            await gone.tasks.close()
        return FakeTask(self._host, bundle, record)

    async def create_sandbox(self, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
        self._host.sandboxes[bundle.id] = asyncio.Event()
        return SandboxProcess(pid=0, record={"id": bundle.id, "args": spec["process"]["args"]})

    async def wait_sandbox(self, record: HandlerRecord) -> None:
        if (ended := self._host.sandboxes.get(record["id"])) is not None:
            await ended.wait()

    def has_sandbox(self, record: HandlerRecord) -> bool:
        return record["id"] in self._host.sandboxes

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        if (ended := self._host.sandboxes.pop(bundle.id, None)) is not None:
            ended.set()

    async def can_checkpoint(self) -> bool:
        return False


class FakeKind:
    """See HandlerKind."""

    def __init__(self, *handlers: FakeHandler) -> None:
        self.handlers: dict[str, Handler] = {handler.name: handler for handler in handlers}

    def of_record(self, name: str) -> Handler:
        return FakeHandler(FakeHost(), name)

    async def end_abandoned(self) -> None:
        pass

    async def sweep(self, known: object) -> None:
        pass

    async def close(self) -> None:
        pass
