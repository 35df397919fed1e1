"""Processes that the Engine starts in a running container.

The Engine has no call that ends one. As it runs on this host, its process and its children are killed by us.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, NotFound, PodwrightError, RuntimeFailed
from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.process import Completed
from podwright.runtime.engines.docker.api.hijack import Hijacked, hijack
from podwright.runtime.engines.docker.api.shapes import shaped
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.stdio.outputs import Output, Outputs
from podwright.runtime.handlers.protocol import Source
from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.streams.remote_command.resize import TerminalSize
from podwright.tasks import Tasks, retrieve, task_of

# A sequence that nobody types: the Engine would detach from a terminal at its own one (ctrl-p, ctrl-q).
DETACH_KEYS = "ctrl-@,ctrl-_,ctrl-@,ctrl-_,ctrl-@"
NOT_STARTED = frozenset({126, 127})  # what the Engine reports for a program that it could not start
LOOK_S = 0.2  # between looks at a process that has closed its outputs
START_LOOK_S = 0.05  # between looks at a process that is being started
KILLED_S = 5.0
DRAIN_S = 2.0  # for the end of a process, after that of its container
END_OF_FILE = b"\x04"  # as typed at a terminal


Gone = Callable[[ContainerId], Awaitable[None]]
Result = TypeVar("Result")


class EngineExecState(msgspec.Struct, frozen=True):
    """What the Engine says of a process."""

    Running: bool = False
    ExitCode: int | None = None  # null until it has ended
    Pid: int = 0  # on this host; 0: it has never started


class ExecSession:
    """One process, from its start to its end."""

    def __init__(self, host: EngineHost, cgroups: CgroupHost, container: Container, exec_id: str, gone: Gone) -> None:
        """`gone` returns when the container has ended."""
        self._gone = gone
        self._host = host
        self._cgroups = cgroups
        self._container = container
        self.id = exec_id

    @property
    def path(self) -> str:
        """Its place in the API."""
        return f"/exec/{self.id}"

    async def inspect(self) -> EngineExecState:
        """What the Engine says of it. Raises FailedPrecondition if it has gone with its container."""
        try:
            found = await self._host.client.get(f"{self.path}/json", "inspect an exec")
        except NotFound as gone:
            raise FailedPrecondition(f"container {self._container.id[:12]} is not running any more") from gone
        with shaped("inspect an exec"):
            return msgspec.convert(found, EngineExecState)

    async def ended(self) -> tuple[int, bool]:
        """The exit code once it has ended, and whether it had ever started."""
        found = await self.inspect()
        while found.Running or found.ExitCode is None:
            await asyncio.sleep(LOOK_S)
            found = await self.inspect()
        return found.ExitCode, not (found.ExitCode in NOT_STARTED and not found.Pid)

    async def in_container(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`. The Engine may forget a process whose container ends, and never end its stream.

        Raises FailedPrecondition then.
        """
        working = asyncio.create_task(work, name=f"exec {self.id[:12]}")
        gone = task_of(self._gone(self._container.id), name=f"wait for the container of exec {self.id[:12]}")
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=None if not gone.done() else DRAIN_S)
            if not working.done():
                raise FailedPrecondition(f"container {self._container.id[:12]} is not running any more")
            return working.result()
        finally:
            gone.cancel()
            working.cancel()

    async def kill(self) -> None:
        """SIGKILL to it and its descendants, as far as they are in the container's cgroup.

        The Engine may still be starting it: that is awaited, for KILLED_S at most.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILLED_S):
                while not await self._is_killed():  # noqa: ASYNC110 # the Engine reports no start
                    await asyncio.sleep(START_LOOK_S)

    async def _is_killed(self) -> bool:
        """Kill it if it runs in its container by now. Whether that is done, or it has ended by itself."""
        found = await self.inspect()
        if not found.Running:
            return found.ExitCode is not None
        inside = await asyncio.to_thread(cgroup.processes, self._cgroups, self._container.cgroup)
        if found.Pid not in inside:
            return False
        proc.kill_tree(found.Pid)
        return True

    async def resize(self, width: int, height: int) -> None:
        """Set the size of its terminal."""
        await self._host.resize(self.path, width, height)


async def prepare(
    host: EngineHost,
    cgroups: CgroupHost,
    container: Container,
    command: tuple[str, ...],
    *,
    terminal: bool,
    gone: Gone,
) -> ExecSession:
    """Announce a process. Raises FailedPrecondition if the container does not run, and InvalidArgument.

    It always has an input of its own: without one, the Engine gives it the host's /dev/null.
    """
    body = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": not terminal,
        "Tty": terminal,
        "Cmd": list(command),
        "DetachKeys": DETACH_KEYS,
        "Env": ["TERM=xterm"] if terminal and not _has_term(container) else [],
    }
    what = f"exec in container {container.id[:12]}"
    try:
        made = await host.client.post(f"/containers/{container.id}/exec", what, body)
    except NotFound as absent:
        raise FailedPrecondition(f"container {container.id[:12]} is not running any more") from absent
    with shaped(what):
        exec_id = str(made["Id"])
    return ExecSession(host, cgroups, container, exec_id, gone)


def _has_term(container: Container) -> bool:
    return any(name == "TERM" for name, _ in container.config.envs)


async def run(
    session: ExecSession, host: EngineHost, label: str, *, timeout_s: float, output_limit_bytes: int
) -> Completed:
    """Run it and collect its output.

    Raises DeadlineExceeded after it was killed, FailedPrecondition, and RuntimeFailed if the program did not start.
    """
    connection = await hijack(host.client, f"{session.path}/start", label, {"Detach": False, "Tty": False})
    connection.end_input()
    outputs = Outputs(connection, terminal=False)
    try:
        async with asyncio.timeout(timeout_s or None):
            stdout, stderr = await session.in_container(_collected(outputs, output_limit_bytes))
            code, has_started = await session.in_container(session.ended())
    except TimeoutError as late:
        await asyncio.shield(_kill(session))
        raise DeadlineExceeded(f"{label} did not end within {timeout_s:g} s") from late
    except BaseException:
        await asyncio.shield(_kill(session))
        raise
    finally:
        connection.close()
    if not has_started:
        raise RuntimeFailed(f"{label}: {(stderr or stdout).decode(errors='replace').strip()}")
    return Completed(returncode=code, stdout=stdout, stderr=stderr)


async def _collected(outputs: Outputs, limit_bytes: int) -> tuple[bytes, bytes]:
    stderr = outputs.stderr or outputs.stdout
    _, out, err = await asyncio.gather(
        outputs.pump(), _collect(outputs.stdout, limit_bytes), _collect(stderr, limit_bytes)
    )
    return out, err


async def _collect(output: Output, limit_bytes: int) -> bytes:
    """The output up to the limit. The rest is read and dropped, so that the process does not stand still."""
    content = bytearray()
    while piece := await output.read():
        content += piece[: max(0, limit_bytes - len(content))]
    return bytes(content)


async def _kill(session: ExecSession) -> None:
    with contextlib.suppress(PodwrightError, OSError):
        await session.kill()


class EngineExec:
    """A process with its stdio in the caller's hands. See `Exec`."""

    def __init__(
        self, session: ExecSession, connection: Hijacked, background: Tasks, *, terminal: bool, stdin: bool
    ) -> None:
        self._session = session
        self._connection = connection
        self._background = background
        self._terminal = terminal
        self._outputs = Outputs(connection, terminal=terminal)
        self._pumping = background.start(self._outputs.pump(), name=f"output of exec {session.id[:12]}")
        self._ending = background.job(self._end(), name=f"wait for exec {session.id[:12]}")
        self._ending.add_done_callback(retrieve)
        self.stdin = connection if stdin else None
        self.stdout: Source | None = self._outputs.stdout
        self.stderr: Source | None = self._outputs.stderr
        if not stdin:
            connection.end_input()

    async def _end(self) -> int:
        try:
            code, has_started = await self._session.in_container(self._until_ended())
        except FailedPrecondition:
            self._connection.close()  # so that its readers see the end
            raise
        if not has_started:
            raise RuntimeFailed(f"exec: {await self._first_words()}")
        return code

    async def _until_ended(self) -> tuple[int, bool]:
        """The Engine closes the connection when the process ends, or when it has closed its outputs itself."""
        await asyncio.wait({self._pumping})
        return await self._session.ended()

    async def _first_words(self) -> str:
        """Why it did not start: the Engine writes that where output would be."""
        text = b""
        while piece := await self._outputs.stdout.read():
            text += piece
        return text.decode(errors="replace").strip()

    async def wait(self) -> int:
        return await asyncio.shield(self._ending)

    def resize(self, width: int, height: int) -> None:
        if self._terminal and width > 0 and height > 0:
            self._later(self._session.resize(width, height), "resize")

    async def end_input(self) -> None:
        if self.stdin is None:
            return
        if self._terminal:
            with contextlib.suppress(BrokenPipeError):
                await self._connection.write(END_OF_FILE)
        else:
            self._connection.end_input()

    def hang_up(self) -> None:
        """The Engine throws output away when nobody is connected. The process continues."""
        self._outputs.drop()
        self._connection.close()

    async def end(self) -> None:
        self.hang_up()
        if not self._ending.done():
            await _kill(self._session)
            await asyncio.wait({self._ending}, timeout=KILLED_S)

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._background.start(_quietly(work), name=f"{name} exec {self._session.id[:12]}")


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(PodwrightError):
        await work


async def start(
    session: ExecSession,
    host: EngineHost,
    background: Tasks,
    *,
    terminal: bool,
    stdin: bool,
    size: TerminalSize | None,
) -> EngineExec:
    """Start it with its stdio. A program that does not start is what `wait` says."""
    body: dict[str, Any] = {"Detach": False, "Tty": terminal}
    connection = await hijack(host.client, f"{session.path}/start", "start an exec", body)
    if size is not None:
        await session.resize(size.width, size.height)
    return EngineExec(session, connection, background, terminal=terminal, stdin=stdin)
