"""A node agent as a running program: its processes and its `/pods`."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TypeVar

import aiohttp

from podwright.bench import processes
from podwright.bench.agents.command import has_placeholders
from podwright.bench.agents.pods import running_in
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, PodwrightError, Unavailable
from podwright.process import Command, PosixProcessRunner, Process

Found = TypeVar("Found")

START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
ASK_LIMIT_S = 10.0
START_POLL_S = 0.01
LOG_TAIL_BYTES = 2000
PASSED_ON = ("PATH", "HOME")  # variables of our environment that the program gets


def find_program(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command with its program's path. `podwright` is this Podwright.

    Raises FailedPrecondition if the program is not on the PATH.
    """
    program, *arguments = command
    if program == "podwright":
        return (sys.executable, "-m", "podwright", *arguments)
    path = shutil.which(program)
    if path is None:
        raise FailedPrecondition(
            f"the node agent {program} is not on the PATH", hint=f"use its path: --agent NAME=/path/to/{program}"
        )
    return (path, *arguments)


async def describe_agent(command: tuple[str, ...]) -> str:
    """A description such as `kubelet (Kubernetes v1.36.2)`. A command with placeholders has no version.

    Raises FailedPrecondition if the program is not on the PATH.
    """
    found, said = find_program(command), shlex.join(command)
    if has_placeholders(command):
        return said
    done = await PosixProcessRunner().run(Command(argv=(*found, "--version"), timeout_s=ASK_LIMIT_S))
    version = (done.stdout.decode(errors="replace").splitlines() or [""])[0]
    return f"{said} ({version})" if done.returncode == 0 and version else said


def free_ports(count: int) -> list[int]:
    """Different free TCP ports on loopback."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class AgentProgram:
    """Starts, queries and ends one node agent."""

    def __init__(self, argv: tuple[str, ...], *, port: int, log: str, run_id: str) -> None:
        """`/pods` is on `port` of loopback. Output is appended to the file `log`."""
        self._argv = argv
        self._url = f"http://127.0.0.1:{port}/pods"
        self._log = log
        self._run_id = run_id
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises FailedPrecondition, DeadlineExceeded."""
        self.spawn()
        await self.wait(self._answered, "an answer to /pods", limit_s=START_LIMIT_S, poll_s=START_POLL_S)

    def spawn(self) -> None:
        """Start it without waiting. Raises FailedPrecondition."""
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        out = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            command = Command(argv=self._argv, timeout_s=None, env=env, fds={1: out, 2: out})
            self._process = PosixProcessRunner().start(command)
        finally:
            os.close(out)

    async def kill(self) -> None:
        """SIGKILL the program's process group, and wait for its end."""
        process, self._process = self._running(), None
        process.kill_group()
        await process.wait()

    async def close(self) -> None:
        """SIGTERM, then SIGKILL if it does not end in time. A program that does not run succeeds."""
        if self._session is not None:
            await self._session.close()
        process, self._process = self._process, None
        if process is None:
            return
        process.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        process.kill_group()
        await process.wait()

    async def running(self) -> Mapping[str, str]:
        """The run's running pods in `/pods`, with their containers' ids. Raises Unavailable, Internal."""
        try:
            async with self._client().get(self._url) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as failure:
            raise Unavailable(f"{self._url} does not answer: {failure}") from failure
        if response.status != 200:
            raise Internal(f"{self._url} answered {response.status}: {body[:200].decode(errors='replace').strip()}")
        return running_in(body, self._run_id)

    async def wait(
        self, look: Callable[[], Awaitable[Found | None]], what: str, *, limit_s: float, poll_s: float
    ) -> Found:
        """Call `look` until it returns something.

        Raises DeadlineExceeded, and FailedPrecondition if the program ends, both with the end of its log.
        """
        deadline = time.monotonic() + limit_s
        while (found := await look()) is None:
            if (code := self._running().returncode) is not None:
                raise FailedPrecondition(f"{self._argv[0]} ended with {code} before {what}: {self._log_tail()}")
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{self._argv[0]}: no {what} in {limit_s:g} s: {self._log_tail()}")
            await asyncio.sleep(poll_s)
        return found

    def cpu_s(self) -> float:
        """CPU time of its processes, including children that they waited for."""
        return sum(map(processes.cpu_s, self._family()))

    def pss_bytes(self) -> int:
        """Proportional set size of its processes."""
        return sum(processes.pss_bytes(pid) or 0 for pid in self._family())

    async def _answered(self) -> bool | None:
        try:
            await self.running()
        except PodwrightError:
            return None
        return True

    def _family(self) -> list[int]:
        return processes.daemon_family(self._running().pid)

    def _running(self) -> Process:
        if self._process is None:
            raise FailedPrecondition(f"{self._argv[0]} was not started")
        return self._process

    def _client(self) -> aiohttp.ClientSession:
        # Made on first use, because a session belongs to a running event loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_LIMIT_S))
        return self._session

    def _log_tail(self) -> str:
        with open(self._log, "rb") as file:
            file.seek(max(0, os.path.getsize(self._log) - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
