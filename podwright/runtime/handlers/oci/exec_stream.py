"""Exec with its stdio in the caller's hands: pipes, or the master of a terminal, and the exit code.

The OCI runtime gets the pipes themselves, so no process copies in between: with crun 6 ms for `true`, against 10 ms
through conmon. The command ends by itself or with its container. `hang_up` closes its stdio, and `end` kills it.
`execs.end_abandoned` finds the files of a killed daemon's execs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import msgspec

from podwright.errors import DeadlineExceeded, RuntimeFailed
from podwright.linux import proc
from podwright.process import FdReader, FdWriter, Process
from podwright.runtime.handlers.oci import execs, terminal
from podwright.runtime.handlers.oci.exec_stdio import ChildEnds, Stderr, both_ways
from podwright.runtime.handlers.oci.runtime import OciRuntime, RuntimeExec, plain
from podwright.runtime.handlers.protocol import ExecProcess
from podwright.streams.remote_command.resize import TerminalSize

STARTED_POLL_S = 0.001
DIRECTORY_FD = 3  # the child's number for the directory of the console's socket


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime at work on an exec, and our ends of its stdio."""

    process: Process
    stem: str  # what the paths of its files start with
    stdin: FdWriter | None
    stdout: FdReader | None
    errors: FdReader  # descriptor 2: the command's, or with a terminal the runtime's alone
    tty: bool = False
    copies: bool = False  # the runtime copies between the command's terminal and ours


class RunningCommand:
    """A command that was started. `stdout` and `stderr` must be read, also by those who do not want it."""

    def __init__(self, launched: Launched, runtime: OciRuntime, container_id: str) -> None:
        self._launched = launched
        self._runtime = runtime
        self._container_id = container_id
        self._ending = asyncio.create_task(launched.process.wait(), name="wait for an exec")
        self._hangs = False
        self._guard = asyncio.create_task(self._end_hung_runtime(runtime.timeout_s), name="end a hung exec")
        self._errors = Stderr(launched.errors, self.started)
        self.stdin = launched.stdin
        self.stdout = launched.stdout
        self.stderr = None if launched.tty else self._errors

    async def _end_hung_runtime(self, patience_s: float) -> None:
        """`patience_s` is what the runtime may take to start the command: see `execs.hangs`."""
        if await execs.hangs(self._ending, f"{self._launched.stem}.pid", patience_s):
            self._hangs = True
            self._launched.process.kill_group()

    async def started(self) -> bool:
        """Whether the program runs or ran. False if the runtime could not start it. Waits until that is known."""
        while not self._has_started() and not self._ending.done():
            await asyncio.wait({self._ending}, timeout=STARTED_POLL_S)
        return self._has_started()

    def _has_started(self) -> bool:
        return os.path.exists(f"{self._launched.stem}.pid")

    async def wait(self) -> int:
        """The exit code, 128 + n for signal n.

        Raises RuntimeFailed, with the runtime's message, when the command did not start, and DeadlineExceeded when the
        runtime hangs.
        """
        code = await asyncio.shield(self._ending)
        if self._hangs:
            raise DeadlineExceeded("exec: the OCI runtime hangs")
        if code != 0 and not self._has_started():
            raise RuntimeFailed(f"exec: {plain(await self._errors.failure())}")
        return code if code >= 0 else 128 - code

    def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters. Without a terminal it does nothing."""
        if self._launched.tty and self.stdin is not None:
            terminal.resize(self.stdin.fd, width, height)
            if self._launched.copies:
                self._launched.process.signal(signal.SIGWINCH)

    async def end_input(self) -> None:
        """Let the command see the end of its input."""
        if self.stdin is None:
            return
        if not self._launched.tty:
            self.stdin.close()
        elif typed := terminal.end_of_file(self.stdin.fd):
            await self.stdin.write(typed)

    def hang_up(self) -> None:
        """Close its stdio: end of input, EPIPE for output, SIGHUP for a terminal. The command may continue."""
        for end in (self.stdin, self.stdout, self._errors):
            if end is not None:
                end.close()
        if self._launched.copies:
            self._launched.process.signal(signal.SIGHUP)

    async def end(self) -> None:
        """Kill what still runs, and clean up."""
        self.hang_up()
        if not self._ending.done():
            await execs.kill_guest(self._runtime, self._container_id, self._launched.stem)
            if (pid := execs.read_pid(f"{self._launched.stem}.pid")) is not None:
                proc.kill_tree(pid)
            await asyncio.wait({self._ending}, timeout=execs.KILLED_TIMEOUT_S)
            self._launched.process.kill_group()
        execs.remove_files(self._launched.stem)


async def start(runtime: OciRuntime, prepared: RuntimeExec, process: ExecProcess) -> RunningCommand:
    """Start the command. Raises FailedPrecondition, DeadlineExceeded and OSError.

    After a failure its files are gone.
    """
    try:
        return RunningCommand(await _launch(runtime, prepared, process), runtime, prepared.container_id)
    except BaseException:
        execs.remove_files(prepared.stem)
        raise


async def _launch(runtime: OciRuntime, prepared: RuntimeExec, process: ExecProcess) -> Launched:
    if not process.spec.get("terminal"):
        return _launch_on_pipes(runtime, prepared, has_stdin=process.stdin)
    size = _size(process)
    if runtime.hands_over_terminal:
        return await _launch_on_console(runtime, prepared, size)
    return _launch_on_own_terminal(runtime, prepared, size)


def _size(process: ExecProcess) -> TerminalSize | None:
    given = process.spec.get("consoleSize")
    return None if given is None else TerminalSize(width=given["width"], height=given["height"])


def _launch_on_pipes(runtime: OciRuntime, prepared: RuntimeExec, *, has_stdin: bool) -> Launched:
    """The command has both outputs, also when nobody wants one: whoever serves the streams throws that away."""
    with ChildEnds(prepared.owner) as child:
        stdin = child.input(0) if has_stdin else None
        if stdin is None:
            child.no_input(0)
        stdout, errors = child.output(1), child.output(2)
        process = runtime.start_exec(prepared, fds=child.fds)
    return Launched(process=process, stem=prepared.stem, stdin=stdin, stdout=stdout, errors=errors)


async def _launch_on_console(runtime: OciRuntime, prepared: RuntimeExec, size: TerminalSize | None) -> Launched:
    stem = prepared.stem
    with contextlib.closing(terminal.ConsoleSocket(f"{stem}.sock")) as console:
        with ChildEnds(prepared.owner) as child:
            child.no_input(0)
            errors = child.output(2)
            process = runtime.start_exec(
                prepared,
                fds={**child.fds, 1: child.fds[2], DIRECTORY_FD: console.directory},
                console=console.address(DIRECTORY_FD),
            )
        try:
            master = await console.master(process, runtime.timeout_s)
            if size is not None:  # older crun leave that to us, newer ones do it just before
                terminal.resize(master, size.width, size.height)
        except BaseException:
            process.kill_group()
            errors.close()
            raise
    stdout, stdin = both_ways(master) if master >= 0 else (None, None)
    return Launched(process=process, stem=stem, stdin=stdin, stdout=stdout, errors=errors, tty=True)


def _launch_on_own_terminal(runtime: OciRuntime, prepared: RuntimeExec, size: TerminalSize | None) -> Launched:
    with ChildEnds(prepared.owner) as child:
        stdout, stdin = child.terminal(*terminal.open_passed_through())
        if size is not None:
            terminal.resize(stdin.fd, size.width, size.height)
        errors = child.output(2)
        process = runtime.start_exec(prepared, fds=child.fds)
    return Launched(
        process=process, stem=prepared.stem, stdin=stdin, stdout=stdout, errors=errors, tty=True, copies=True
    )
