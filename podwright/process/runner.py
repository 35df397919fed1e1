"""Starting programs: argv lists, a clean environment, deadlines, bounded output, a log line to paste.

Called by everything that has to run a binary (OCI runtimes, conmon, CNI plugins, nft, our own children); ruff bans
the other ways. Children are made by posix_spawn, because gRPC does not survive fork in a threaded process, and
their ends are seen through pidfds on the event loop, so that no thread is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux import libc, proc
from podwright.process.pipes import OutputPipe, feed
from podwright.timeline import Step

log = logging.getLogger(__name__)

SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
KILLED_REAP_S = 5.0
PR_SET_TIMERSLACK = 29
# What Python or a parent shell may have set to "ignore" would otherwise be inherited by every container.
RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGXFSZ,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.

    `argv[0]` is an absolute path or a name looked up in SAFE_PATH. `env` replaces the environment (None: PATH
    alone). `fds` maps a descriptor number in the child to an open one here; 0-2 may be given, otherwise stdin is a
    pipe that brings `stdin`, and output is collected up to `output_limit_bytes` a stream, the rest discarded. These
    pipes belong to `owner`, a user and a group of this host (None: to us).
    After the process has ended, output is read until end of file or for `drain_s` at most, since a daemonised
    grandchild may hold the pipes open.
    The process and all that descend from it begin with `timer_slack_ns` (prctl(2), PR_SET_TIMERSLACK) and
    `oom_score_adj`; None leaves ours.
    """

    argv: tuple[str, ...]
    timeout_s: float | None  # None: the caller bounds the time and cancels
    stdin: bytes = b""
    env: Mapping[str, str] | None = None
    fds: Mapping[int, int] = field(default_factory=dict)
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    drain_s: float = 2.0
    owner: tuple[int, int] | None = None
    timer_slack_ns: int | None = None
    oom_score_adj: int | None = None

    def __str__(self) -> str:
        """The command as one could paste it in a shell."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How it ended: `returncode` is the exit code, or minus the signal's number."""

    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def shell_code(self) -> int:
        """The exit code as shells and the CRI count it: 128 + n for signal n."""
        return self.returncode if self.returncode >= 0 else 128 - self.returncode

    def error_text(self) -> str:
        """The last words of the program, for a message: stderr, or stdout when it has none."""
        return (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")[-2000:]


class Process:
    """A running child. `wait` may be called by many; the child is reaped once, by the event loop."""

    running: ClassVar[dict[int, Process]] = {}  # by their PIDs

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        self.running[pid] = self
        loop.add_reader(pidfd, self.reap)

    @classmethod
    def adopt(cls, pid: int, start_time: int) -> Process | None:
        """A process that an earlier daemon started (`start_time` as `linux.proc` gives it); None when it has ended.

        Its exit code is known only if it is our child.
        """
        pidfd = proc.open_pidfd(pid, start_time)
        return None if pidfd is None else cls(pid, pidfd)

    def reap(self) -> None:
        """The child has ended: called by the event loop, or by who saw it first."""
        if self._pidfd < 0:
            return
        self.running.pop(self.pid, None)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        try:
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:  # somebody reaped it: the code is lost, the end is not
            code = 255
        if not self._ended.done():
            self._ended.set_result(code)

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Exit code, or minus the signal's number."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill_group(self) -> None:
        """SIGKILL to its whole process group (children started here lead their own)."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class ProcessRunner(Protocol):
    """What callers need; `PosixProcessRunner` is the real one."""

    async def run(self, command: Command) -> Completed:
        """Run to the end. Raises DeadlineExceeded (the process group is killed) and FailedPrecondition."""

    def start(self, command: Command) -> Process:
        """Start and return at once; `timeout_s`, `stdin`, output collection and `owner` do not apply.

        Descriptors 0-2 that `fds` does not give are the host's /dev/null, so whoever starts a program that may change
        its stdio's owner or mode, or pass it on to a container, gives all three. Raises FailedPrecondition.
        """


class PosixProcessRunner:
    """Starts children by posix_spawn in a session of their own."""

    async def run(self, command: Command) -> Completed:
        """See ProcessRunner.run."""
        with Step(os.path.basename(command.argv[0])):
            return await self._run(command)

    async def _run(self, command: Command) -> Completed:
        fds = dict(command.fds)
        outputs: list[OutputPipe] = []
        writer = -1
        with contextlib.ExitStack() as child_ends:
            try:
                if 0 not in fds:
                    fds[0], writer = _pipe(child_ends, command.owner)
                outputs = [_output(child_ends, fds, number, command) for number in (1, 2) if number not in fds]
                process = _spawn(command, fds)
            except BaseException:
                _close_all(outputs, writer)
                raise
        feeding = feed(writer, command.stdin) if writer >= 0 else None
        try:
            async with asyncio.timeout(command.timeout_s):
                code = await process.wait()
            await _drain(outputs, command.drain_s)
        except TimeoutError as late:
            raise DeadlineExceeded(f"{command.argv[0]} did not end within {command.timeout_s:g} s") from late
        finally:
            if feeding is not None:
                feeding.cancel()
            for pipe in outputs:
                pipe.close()
            if process.returncode is None:
                process.kill_group()
                await _reaped(process)
        log.debug("ran pid=%d code=%d argv=%s", process.pid, code, command)
        collected = {pipe.number: bytes(pipe.data) for pipe in outputs}
        return Completed(returncode=code, stdout=collected.get(1, b""), stderr=collected.get(2, b""))

    def start(self, command: Command) -> Process:
        """See ProcessRunner.start."""
        with Step(f"spawn {os.path.basename(command.argv[0])}"):
            process = _spawn(command, dict(command.fds))
        log.debug("started pid=%d argv=%s", process.pid, command)
        return process


def new_pipe(owner: tuple[int, int] | None = None) -> tuple[int, int]:
    """(read end, write end) of a pipe that belongs to a user and a group: those may open it again by /proc/self/fd."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if owner is not None:
        os.fchown(reader, *owner)
    return reader, writer


def _pipe(stack: contextlib.ExitStack, owner: tuple[int, int] | None) -> tuple[int, int]:
    """(read end for the child, write end for us); the child's end is closed with the stack."""
    reader, writer = new_pipe(owner)
    stack.callback(os.close, reader)
    return reader, writer


def _output(stack: contextlib.ExitStack, fds: dict[int, int], number: int, command: Command) -> OutputPipe:
    reader, writer = new_pipe(command.owner)
    stack.callback(os.close, writer)
    fds[number] = writer
    return OutputPipe(reader, number, command.output_limit_bytes)


def _close_all(outputs: list[OutputPipe], writer: int) -> None:
    for pipe in outputs:
        pipe.close()
    if writer >= 0:
        os.close(writer)


async def _drain(outputs: list[OutputPipe], drain_s: float) -> None:
    """Wait for end of file on every pipe, but no longer than `drain_s`."""
    if all(pipe.finished.done() for pipe in outputs):  # as a rule
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            for pipe in outputs:
                await pipe.finished


async def _reaped(process: Process) -> None:
    """Wait for a killed child even when the caller was cancelled, but not for ever: D state happens."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), KILLED_REAP_S)


def _spawn(command: Command, fds: dict[int, int]) -> Process:
    """posix_spawn with exactly the given descriptors; everything else here is close-on-exec."""
    # A target number may be the source of another move, so sources go out of the way first.
    top = max(*fds, *fds.values(), 2) + 1 if fds else 3
    moves = [(number, source, top + offset) for offset, (number, source) in enumerate(sorted(fds.items()))]
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
    actions += [(os.POSIX_SPAWN_DUP2, source, parked) for _, source, parked in moves]
    actions += [(os.POSIX_SPAWN_DUP2, parked, number) for number, _, parked in moves]
    actions += [(os.POSIX_SPAWN_CLOSE, parked) for _, _, parked in moves]
    actions += [
        (os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDONLY if number == 0 else os.O_WRONLY, 0)
        for number in (0, 1, 2)
        if number not in fds
    ]
    env = {"PATH": SAFE_PATH} if command.env is None else dict(command.env)
    path = find_executable(command.argv[0])
    try:
        with _timer_slack(command.timer_slack_ns):
            pid = os.posix_spawn(
                path,
                command.argv,
                env,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=RESET_SIGNALS,
            )
    except OSError as failure:
        raise FailedPrecondition(f"cannot run {path}: {os.strerror(failure.errno or errno.EIO)}") from failure
    try:
        if command.oom_score_adj is not None:
            proc.set_oom_score_adj(pid, command.oom_score_adj)
        return Process(pid, os.pidfd_open(pid))
    except OSError as failure:  # EMFILE: nobody would see its end
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise FailedPrecondition(f"cannot watch {path}: {os.strerror(failure.errno or errno.EIO)}") from failure


@contextlib.contextmanager
def _timer_slack(slack_ns: int | None) -> Iterator[None]:
    """Children that this thread makes in the context begin with it: it is a thread's own, and inherited."""
    if slack_ns is None:
        yield
        return
    libc.prctl(PR_SET_TIMERSLACK, slack_ns)
    try:
        yield
    finally:
        libc.prctl(PR_SET_TIMERSLACK, 0)  # what the thread began with


def search_path(directory: str = "") -> str:
    """A PATH for children: `directory`, if any is given, before the standard ones."""
    return f"{directory}:{SAFE_PATH}" if directory else SAFE_PATH


def find_executable(name: str) -> str:
    """The absolute path of a program in SAFE_PATH. Raises FailedPrecondition when there is none."""
    if "/" in name:
        return name
    for folder in SAFE_PATH.split(":"):
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise FailedPrecondition(f"the program {name} is not installed", hint=f"install {name}, or run podwright doctor")


def keep_descriptors_to_ourselves() -> None:
    """Mark every open descriptor but 0-2 close-on-exec: what a parent shell left open is no child's business.

    Called once, when a daemon starts.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself is closed by now
                os.set_inheritable(int(name), False)
