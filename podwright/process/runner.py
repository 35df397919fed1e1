"""Starts programs: argv lists, a clean environment, deadlines, bounded output, and a log line for a shell.

Every call of a binary (OCI runtimes, conmon, CNI plugins, nft, our own children) goes through this module, and ruff
bans the other ways. Children are made by posix_spawn, because gRPC does not survive fork in a threaded process. Their
ends are detected with pidfds on the event loop, so no thread is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux import libc, proc
from podwright.process.pipes import OutputPipe, feed
from podwright.timeline import Step

log = logging.getLogger(__name__)

SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
KILLED_REAP_S = 5.0
PR_SET_TIMERSLACK = 29
# Signals to reset: containers would inherit those that Python or a parent shell ignores.
RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGXFSZ,
)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    `argv[0]` is an absolute path or a name to look up in SAFE_PATH. `env` replaces the environment (None: PATH
    alone). `fds` maps descriptor numbers in the child to open ones here. Without an entry for 0-2, stdin is a pipe
    with `stdin`, and output is collected up to `output_limit_bytes` per stream, the rest discarded. These pipes
    belong to `owner`, a user and a group of this host (None: to us). After the process has ended, output is read
    until end of file, but at most for `drain_s`, because a daemonised grandchild may hold the pipes. The process and
    its descendants start with `timer_slack_ns` (prctl(2), PR_SET_TIMERSLACK) and `oom_score_adj`. None keeps ours.
    """

    argv: tuple[str, ...]
    timeout_s: float | None  # None: the caller limits the time and cancels
    stdin: bytes = b""
    env: Mapping[str, str] | None = None
    fds: Mapping[int, int] = msgspec.field(default_factory=dict)
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    drain_s: float = 2.0
    owner: tuple[int, int] | None = None
    timer_slack_ns: int | None = None
    oom_score_adj: int | None = None

    @property
    def name(self) -> str:
        """The program's name. That of a script (`unpack/__main__.py`: unpack) when it is one of ours in Python."""
        program, *words = self.argv
        script = next((word for word in words if word.endswith(".py")), "") if program == sys.executable else ""
        return os.path.basename((script or program).removesuffix("/__main__.py").removesuffix(".py"))

    def __str__(self) -> str:
        """The command in a form for a shell."""
        return shlex.join(self.argv)


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `returncode` is the exit code, or the negative signal number."""

    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def shell_code(self) -> int:
        """The exit code in the convention of shells and CRI: 128 + n for signal n."""
        return self.returncode if self.returncode >= 0 else 128 - self.returncode

    def error_text(self) -> str:
        """The end of stderr for a message, or of stdout if stderr is empty."""
        return (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")[-2000:]


class Process:
    """A running child. Several callers may wait. The event loop reaps the child once."""

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
        """A process that an earlier daemon started (`start_time` as in `linux.proc`), or None if it has ended.

        Its exit code is known only if it is our child.
        """
        pidfd = proc.open_pidfd(pid, start_time)
        return None if pidfd is None else cls(pid, pidfd)

    def reap(self) -> None:
        """Note the child's end. Called by the event loop, or by the first caller that notices the end."""
        if self._pidfd < 0:
            return
        self.running.pop(self.pid, None)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        try:
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:  # another waiter reaped it: only its exit code is lost
            code = 255
        if not self._ended.done():
            self._ended.set_result(code)

    @property
    def returncode(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for the exit code, or the negative signal number."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal. A process that has ended is ignored."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill_group(self) -> None:
        """SIGKILL its process group. Children started here lead their own."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class ProcessRunner(Protocol):
    """Runs and starts programs. `PosixProcessRunner` is the implementation."""

    async def run(self, command: Command) -> Completed:
        """Run to the end. Raises DeadlineExceeded (after killing the process group) and FailedPrecondition."""

    def start(self, command: Command) -> Process:
        """Start and return at once. `timeout_s`, `stdin`, output collection and `owner` are ignored.

        Descriptors 0-2 without an entry in `fds` are the host's /dev/null. So pass all three to a program that may
        change its stdio's owner or mode, or pass it on to a container. Raises FailedPrecondition.
        """


class PosixProcessRunner:
    """Starts children with posix_spawn, each in a session of its own."""

    async def run(self, command: Command) -> Completed:
        with Step(command.name):
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
            raise DeadlineExceeded(f"{command.name} did not end within {command.timeout_s:g} s") from late
        finally:
            if feeding is not None:
                feeding.cancel()
            for pipe in outputs:
                pipe.close()
            if process.returncode is None:
                process.kill_group()
                await _reaped(process)
        log.debug("program ended: pid=%d code=%d argv=%s", process.pid, code, command)
        collected = {pipe.number: bytes(pipe.data) for pipe in outputs}
        return Completed(returncode=code, stdout=collected.get(1, b""), stderr=collected.get(2, b""))

    def start(self, command: Command) -> Process:
        with Step(f"spawn {command.name}"):
            process = _spawn(command, dict(command.fds))
        log.debug("program started: pid=%d argv=%s", process.pid, command)
        return process


def new_pipe(owner: tuple[int, int] | None = None) -> tuple[int, int]:
    """(read end, write end) of a pipe that belongs to a user and a group, who may open it again by /proc/self/fd."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if owner is not None:
        os.fchown(reader, *owner)
    return reader, writer


def _pipe(stack: contextlib.ExitStack, owner: tuple[int, int] | None) -> tuple[int, int]:
    """(read end for the child, write end for us). The child's end is closed with the stack."""
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
    """Wait for the end of file of every pipe, but at most for `drain_s`."""
    if all(pipe.finished.done() for pipe in outputs):  # the usual case
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            for pipe in outputs:
                await pipe.finished


async def _reaped(process: Process) -> None:
    """Wait for a killed child, even if the caller was cancelled, but with a limit, because it may be in D state."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), KILLED_REAP_S)


def _spawn(command: Command, fds: dict[int, int]) -> Process:
    """posix_spawn with exactly the given descriptors. All others here are close-on-exec."""
    # A target number may be the source of another move, so sources move out of the way first.
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
    except ValueError as failure:  # a NUL byte, or a variable without a name or with = in it
        raise FailedPrecondition(f"cannot run {path}: its arguments or its environment: {failure}") from failure
    try:
        if command.oom_score_adj is not None:
            proc.set_oom_score_adj(pid, command.oom_score_adj)
        return Process(pid, os.pidfd_open(pid))
    except OSError as failure:  # EMFILE: its end could not be detected
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise FailedPrecondition(f"cannot watch {path}: {os.strerror(failure.errno or errno.EIO)}") from failure


@contextlib.contextmanager
def _timer_slack(slack_ns: int | None) -> Iterator[None]:
    """Children that this thread starts in the context get this timer slack, which they inherit from the thread."""
    if slack_ns is None:
        yield
        return
    libc.prctl(PR_SET_TIMERSLACK, slack_ns)
    try:
        yield
    finally:
        libc.prctl(PR_SET_TIMERSLACK, 0)  # the thread's initial value


def search_path(directory: str = "") -> str:
    """A PATH for children: `directory`, if any, before the standard directories."""
    return f"{directory}:{SAFE_PATH}" if directory else SAFE_PATH


def find_executable(name: str) -> str:
    """The absolute path of a program in SAFE_PATH. Raises FailedPrecondition if there is none."""
    if "/" in name:
        return name
    for folder in SAFE_PATH.split(":"):
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise FailedPrecondition(f"the program {name} is not installed", hint=f"install {name}, or run podwright doctor")


def has_program(name: str) -> bool:
    """Whether a program is installed."""
    try:
        find_executable(name)
    except FailedPrecondition:
        return False
    return True


def keep_descriptors_to_ourselves() -> None:
    """Set close-on-exec on every open descriptor except 0-2, so that children do not inherit a parent shell's files.

    Called once when a daemon starts.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself is already closed
                os.set_inheritable(int(name), False)
