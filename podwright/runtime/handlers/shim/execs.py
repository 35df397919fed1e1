"""Processes that are started in a running container."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
from collections.abc import Coroutine
from typing import Any

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, NotFound, PodwrightError, RuntimeFailed
from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.process import Completed, FdReader, OutputPipe
from podwright.runtime.handlers.protocol import Bundle, ExecProcess
from podwright.runtime.handlers.shim import stdio
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import packed_json
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.stdio import Fifos, Input
from podwright.tasks import Tasks, retrieve

log = logging.getLogger(__name__)

PROCESS_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Process"
KILLED_S = 5.0
DRAIN_S = 2.0  # after the end, for output that a process in the background may still hold
DELETE_TRIES = 5  # of one whose start is not over, on a busy host
FOLDER = "execs"
END_OF_FILE = b"\x04"  # as typed at a terminal


class ShimProcess:
    """A process in a container, from its start to its deletion."""

    def __init__(
        self, calls: ShimCalls, cgroups: CgroupHost, bundle: Bundle, process: ExecProcess, *, ends_input: bool = False
    ) -> None:
        """`ends_input`: without stdin, the process gets an ended pipe, and not the host's /dev/null."""
        self.calls = calls
        self.id = f"exec-{secrets.token_hex(8)}"
        self.container_id = bundle.id
        self.terminal = bool(process.spec.get("terminal"))
        self.ends_input = ends_input and not process.stdin and not self.terminal
        self.fifos: Fifos = stdio.fifos(
            f"{bundle.directory}/{FOLDER}/{self.id}", stdin=process.stdin or self.ends_input, terminal=self.terminal
        )
        self._cgroups = cgroups
        self._bundle = bundle
        self._spec = process.spec
        self._pid = 0
        self._held: list[int] = []
        self.ended = False

    def make_fifos(self) -> None:
        """They have readers until it is deleted: see `Fifos.hold`. Raises OSError."""
        self.fifos.make()
        self._held = self.fifos.hold()

    async def start(self) -> None:
        """Run it. Its outputs have readers. Raises RuntimeFailed, FailedPrecondition and DeadlineExceeded."""
        request = pb.ExecRequest(
            id=self.container_id,
            exec_id=self.id,
            terminal=self.terminal,
            stdin=self.fifos.stdin,
            stdout=self.fifos.stdout,
            stderr=self.fifos.stderr,
            spec=packed_json(PROCESS_TYPE, msgspec.json.encode(self._spec)),
        )
        try:
            await self.calls.exec(request)
            self._pid = await self.calls.start(self.container_id, self.id)
        except NotFound as gone:
            raise FailedPrecondition(f"container {self.container_id[:12]} is not running any more") from gone

    async def wait(self) -> int:
        """The exit code, 128 + n for signal n. Called once."""
        try:
            return (await self.calls.wait(self.container_id, self.id)).exit_status
        finally:
            self.ended = True

    def input(self) -> Input:
        """Our end of its stdin."""
        return Input(self.fifos.stdin, lambda: self.ended)

    async def end_input(self, stdin: Input) -> None:
        """Let it see the end of its stdin."""
        await stdin.end(lambda: self.calls.close_stdin(self.container_id, self.id))

    async def kill(self) -> None:
        """SIGKILL, with its descendants where they are processes of this host."""
        if self._pid and self._pid in await asyncio.to_thread(cgroup.processes, self._cgroups, self._bundle.cgroup):
            proc.kill_tree(self._pid)
        with contextlib.suppress(PodwrightError):
            await self.calls.kill(self.container_id, signal.SIGKILL, exec_id=self.id)

    async def delete(self) -> None:
        """Have the shim forget it. If that fails, it is done with the container's deletion."""
        try:
            for _ in range(DELETE_TRIES):
                if await self._is_deleted():
                    break
                await self.kill()
        finally:
            for fd in self._held:
                os.close(fd)
            self._held = []
            self.fifos.remove()

    async def _is_deleted(self) -> bool:
        """False when the shim does not answer: it may still be starting the process."""
        try:
            await self.calls.delete(self.container_id, self.id)
        except DeadlineExceeded:
            return False
        except NotFound:
            pass
        except PodwrightError as failure:
            log.debug("an exec is not deleted: id=%s exec=%s error=%s", self.container_id[:12], self.id, failure)
        return True


async def run(running: ShimProcess, background: Tasks, *, timeout_s: float, output_limit_bytes: int) -> Completed:
    """Run it and collect its output. What follows its end is done in the `background`.

    Raises DeadlineExceeded after it was killed, FailedPrecondition, and RuntimeFailed when it did not start.
    """
    pipes: list[OutputPipe] = []
    ended = False
    try:
        running.make_fifos()
        pipes += [
            OutputPipe(stdio.open_reader(path), number, output_limit_bytes) for number, path in _outputs(running)
        ]
        async with asyncio.timeout(timeout_s or None):
            await running.start()
            if running.ends_input:
                background.start(running.end_input(running.input()), name=f"end input of {running.id}")
            code = await running.wait()
        ended = True
        await _drain(pipes)
        output = {pipe.number: bytes(pipe.data) for pipe in pipes}
        return Completed(returncode=code, stdout=output.get(1, b""), stderr=output.get(2, b""))
    except TimeoutError as late:
        what = f"exec in container {running.container_id[:12]}"
        raise DeadlineExceeded(f"{what} did not end within {timeout_s:g} s") from late
    finally:
        for pipe in pipes:
            pipe.close()
        if not ended:
            await asyncio.shield(_end(running))
        background.start(running.delete(), name=f"delete {running.id}")


def _outputs(running: ShimProcess) -> list[tuple[int, str]]:
    paths = running.fifos.outputs
    return [(number, paths[name]) for number, name in ((1, stdio.STDOUT), (2, stdio.STDERR)) if name in paths]


async def _drain(pipes: list[OutputPipe]) -> None:
    deadline = asyncio.get_running_loop().time() + DRAIN_S
    for pipe in pipes:
        await pipe.ended(max(0.0, deadline - asyncio.get_running_loop().time()))


async def _end(running: ShimProcess) -> None:
    await running.kill()
    with contextlib.suppress(TimeoutError, PodwrightError):
        async with asyncio.timeout(KILLED_S):
            await running.wait()


class ShimExec:
    """A process with its stdio in the caller's hands. See Exec."""

    def __init__(self, running: ShimProcess, background: Tasks, readers: dict[str, FdReader]) -> None:
        self._running = running
        self._background = background
        self._readers = readers
        self._input = running.input() if running.fifos.stdin else None
        self.stdin = None if running.ends_input else self._input
        self.stdout = readers.get(stdio.STDOUT)
        self.stderr = readers.get(stdio.STDERR)
        self._ending: asyncio.Task[int] | None = None
        self._failure: RuntimeFailed | None = None

    async def start(self) -> None:
        """Run it. `wait` reports a program that does not start. Raises FailedPrecondition, DeadlineExceeded."""
        try:
            await self._running.start()
        except RuntimeFailed as failure:
            self._failure = failure
            for reader in self._readers.values():
                reader.close()
        else:
            self._ending = self._background.job(self._running.wait(), name=f"wait for {self._running.id}")
            self._ending.add_done_callback(retrieve)
            if self._running.ends_input and self._input is not None:
                self._background.start(self._running.end_input(self._input), name=f"end input of {self._running.id}")

    async def wait(self) -> int:
        if self._failure is not None:
            raise self._failure
        assert self._ending is not None
        return await asyncio.shield(self._ending)

    def resize(self, width: int, height: int) -> None:
        if self._running.terminal and width > 0 and height > 0:
            calls, ids = self._running.calls, (self._running.container_id, self._running.id)
            self._later(calls.resize(*ids, width, height), "resize")

    async def end_input(self) -> None:
        if self._input is None:
            return
        if self._running.terminal:
            with contextlib.suppress(BrokenPipeError):
                await self._input.write(END_OF_FILE)
        else:
            await self._running.end_input(self._input)

    def hang_up(self) -> None:
        """Throw output away from now on. The shim would keep its fifos, and the process would wait for a reader."""
        if self._input is not None:
            self._input.close()
            calls, ids = self._running.calls, (self._running.container_id, self._running.id)
            self._later(calls.close_stdin(*ids), "close stdin")
            if self._running.terminal:
                self._later(calls.kill(ids[0], signal.SIGHUP, exec_id=ids[1]), "hang up")
        for name, reader in self._readers.items():
            if reader.fd >= 0:
                rest = FdReader(os.dup(reader.fd))  # readers of the old one see its end
                self._background.start(_throw_away(rest), name=f"drop {name} of {self._running.id}")
            reader.close()
        self._readers = {}

    async def end(self) -> None:
        self.hang_up()
        if self._ending is not None and not self._ending.done():
            await self._running.kill()
            await asyncio.wait({self._ending}, timeout=KILLED_S)
        self._background.start(self._running.delete(), name=f"delete {self._running.id}")

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._background.start(_quietly(work), name=f"{name} {self._running.id}")


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(PodwrightError):
        await work


async def _throw_away(reader: FdReader) -> None:
    try:
        while await reader.read():
            pass
    finally:
        reader.close()


async def start(running: ShimProcess, background: Tasks) -> ShimExec:
    """Start it with its stdio. Raises as `ShimExec.start` does. Nothing is left then."""
    readers: dict[str, FdReader] = {}
    try:
        running.make_fifos()
        for name, path in running.fifos.outputs.items():
            readers[name] = FdReader(stdio.open_reader(path))
        started = ShimExec(running, background, readers)
        await started.start()
    except BaseException:
        for reader in readers.values():
            reader.close()
        await asyncio.shield(_give_up(running))
        raise
    return started


async def _give_up(running: ShimProcess) -> None:
    await running.kill()
    await running.delete()


async def end_abandoned(calls: ShimCalls, bundle: Bundle) -> None:
    """At start: end what a killed daemon was running in a container for callers who are gone."""
    folder = f"{bundle.directory}/{FOLDER}"
    for exec_id in os.listdir(folder) if os.path.isdir(folder) else ():
        fifos = stdio.Fifos(directory=f"{folder}/{exec_id}")
        held = fifos.hold()
        try:
            with contextlib.suppress(PodwrightError, TimeoutError):
                await calls.kill(bundle.id, signal.SIGKILL, exec_id=exec_id)
                async with asyncio.timeout(KILLED_S):
                    await calls.wait(bundle.id, exec_id)
            with contextlib.suppress(PodwrightError):
                await calls.delete(bundle.id, exec_id)
        finally:
            for fd in held:
                os.close(fd)
        fifos.remove()
