"""What outlives the daemon: containers, their programs, and the first processes of pods."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import deque

from podwright.errors import RuntimeFailed
from podwright.runtime.handlers.protocol import (
    COMPLETED,
    ERROR,
    Bundle,
    Exit,
    OutputStream,
    Sink,
    Source,
    TaskState,
)
from podwright.runtime.model.base import Resources
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
        """The next output. Empty at the end."""
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
        """Add output. Empty means the end."""
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
