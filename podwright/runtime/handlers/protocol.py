"""What the rest of the runtime needs of whatever runs containers.

A `Handler` makes a `Task` of a bundle: the container from its creation to its deletion. It maps almost one to one onto
containerd's shim API (runtime/task/v2), with two parts that are ours: the log in CRI's format and attach. A handler
may run containers in a virtual machine: nothing outside may assume that a process has a PID on this host, that its
usage is in a cgroup of this host, or who writes the log.

Every method may raise DeadlineExceeded when the runtime below hangs, and RuntimeFailed with the runtime's own message.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Protocol

import msgspec

from podwright.process import Completed
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.usage import Usage

# What a handler must find again after the daemon was killed. It is stored with the container or the sandbox, as JSON,
# and only its handler looks inside.
HandlerRecord = dict[str, Any]
Note = Callable[[HandlerRecord], None]  # commits a record

COMPLETED, ERROR, OOM_KILLED, UNKNOWN = "Completed", "Error", "OOMKilled", "Unknown"
UNKNOWN_CODE = 255


class PodPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration of a handler says of its pods.

    `annotations` are patterns of the pods' and containers' annotations that the runtime below gets. `seccomp` is the
    profile for RuntimeDefault, None for the daemon's.
    """

    annotations: tuple[str, ...] = ()
    seccomp: dict[str, Any] | None = None

    def allowed(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Those that match a pattern."""
        return {
            key: value
            for key, value in annotations.items()
            if any(fnmatch.fnmatchcase(key, pattern) for pattern in self.annotations)
        }


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler can do. It may know only after a while: see `Handler.probe`."""

    user_namespaces: bool = False  # containers can join a user namespace that exists
    memory_floor_bytes: int = 0  # no container starts with a lower memory limit
    sandbox_process: bool = False  # every pod needs a first process of the handler's, not only shared PID namespaces
    policy: PodPolicy = PodPolicy()


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A container to run. `directory`, whose name is the id, holds its config.json and what the handler keeps there.

    `cgroup` is the one in the spec, below the hierarchies' roots. An empty `log_path` discards the output. `owner` is
    the user and the group, on the host, of the container's processes. With `checkpoint`, a directory of CRIU's
    images, the container continues from them.
    """

    id: str
    name: str
    directory: str
    cgroup: str
    owner: tuple[int, int]
    oom_score_adj: int = 0
    log_path: str = ""
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False
    shares_pid_namespace: bool = False  # its processes may outlive the first one
    checkpoint: str = ""


class SandboxBundle(msgspec.Struct, frozen=True, kw_only=True):
    """The first process of a pod: `directory` is the handler's own, `cgroup` as in `Bundle`."""

    id: str
    directory: str
    cgroup: str


class SandboxProcess(msgspec.Struct, frozen=True, kw_only=True):
    """The first process of a pod. `pid` is 0 if the host has none."""

    pid: int
    record: HandlerRecord


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a container: `finished_at` in nanoseconds since the epoch, `message` for people."""

    code: int
    reason: str
    finished_at: int
    message: str = ""


class TaskState(Enum):
    """OCI's states of a container, as far as they matter after a crash."""

    NONE = "none"  # the runtime knows no such container, or cannot tell
    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`pid` is the first process on the host, or None."""

    state: TaskState
    pid: int | None = None


class OutputStream(Enum):
    """Where output of a container came from."""

    STDOUT = "stdout"
    STDERR = "stderr"


class ExecProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start in a running container: OCI's `process`, which also says whether it has a terminal.

    `owner` is the user and the group, on the host, that it runs as. Without `stdin`, its input has ended at once.
    """

    spec: dict[str, Any]
    owner: tuple[int, int]
    stdin: bool = False


class Source(Protocol):
    """Output of a process."""

    async def read(self) -> bytes:
        """The next bytes. Empty at the end."""


class Sink(Protocol):
    """Input of a process."""

    async def write(self, data: bytes) -> None:
        """Return when the kernel has it all. Raises BrokenPipeError when the process reads no more."""


class Exec(Protocol):
    """A process that was started in a container, with its stdio. Its output must be read, also if nobody wants it."""

    @property
    def stdin(self) -> Sink | None: ...
    @property
    def stdout(self) -> Source | None: ...
    @property
    def stderr(self) -> Source | None:
        """None with a terminal."""

    async def wait(self) -> int:
        """The exit code, 128 + n for signal n. Raises RuntimeFailed when the program did not start."""

    def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters. Without a terminal it does nothing."""

    async def end_input(self) -> None:
        """Let the process see the end of its input."""

    def hang_up(self) -> None:
        """Close its stdio. The process may continue without it."""

    async def end(self) -> None:
        """Kill it if it still runs, and clean up."""


class Attached(Protocol):
    """One client's view of the stdio of a container's first process. Other clients do not notice it."""

    async def read(self) -> tuple[OutputStream, bytes] | None:
        """The next output, or None when the container has ended or this client was closed.

        Raises DeadlineExceeded if the client was disconnected because it did not read fast enough.
        """

    async def write(self, data: bytes) -> None:
        """Send input. Raises BrokenPipeError when the container reads no more."""

    async def end_input(self) -> bool:
        """This client sends no more. True when that ended the container's stdin and output continues.

        False when stdin stays open for others: this client's session is over then.
        """

    def resize(self, width: int, height: int) -> None:
        """Set the size of the container's terminal in characters, if it has one."""

    def close(self) -> None:
        """Detach. The container keeps running."""


class Task(Protocol):
    """A container that a handler has created."""

    @property
    def record(self) -> HandlerRecord:
        """What `Handler.adopt` needs to find it again."""

    @property
    def cgroup(self) -> str | None:
        """The cgroup on this host with the container's usage. None: call `stats`."""

    async def start(self) -> int | None:
        """Run the program. Returns the PID of its first process on the host, or None."""

    async def status(self) -> TaskStatus:
        """What the runtime below says of it. Raises DeadlineExceeded."""

    async def wait(self) -> Exit:
        """The end of the container, once it has come. May raise OSError for a while: call it again then."""

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        """Send a signal to the first process, or to every process. A paused container resumes. It may have ended.

        SIGKILL to everyone also ends the handler's own processes that do not notice the container's end.
        """

    async def pids(self) -> frozenset[int]:
        """The container's processes that the host has PIDs for."""

    async def pause(self) -> None:
        """Return when no process of it runs. Pausing twice is a success. Raises FailedPrecondition if it has ended."""

    async def resume(self) -> None:
        """Let it continue. Also succeeds if it was not paused, or has ended."""

    async def is_paused(self) -> bool:
        """Whether its processes are frozen. False if it has ended."""

    async def held_memory_bytes(self) -> int | None:
        """Its memory usage without reclaimable memory, or None if unknown."""

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        """Set the limits `now` for the block and afterwards. If the block raises, set `before` again."""

    async def exec(self, process: ExecProcess) -> Exec:
        """Start a process in it."""

    async def exec_sync(self, process: ExecProcess, *, timeout_s: float, output_limit_bytes: int) -> Completed:
        """Run a process in it and collect its output. `timeout_s` 0 means no limit.

        It is separate from `exec` because it is the most frequent call on a node and needs no streams. Raises
        DeadlineExceeded after killing the process and its children, and FailedPrecondition if the container ends.
        """

    async def attach(self) -> Attached:
        """A new client of the first process's stdio. Raises FailedPrecondition."""

    async def reopen_log(self) -> None:
        """Return when output goes to a new file at the log's path. Raises FailedPrecondition and OSError."""

    async def stats(self) -> Usage | None:
        """Its usage, for a handler whose tasks have no `cgroup`, or None if unknown."""

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:
        """Have CRIU, which is looked up in `path`, write the processes to `images` and its log to `work`."""

    async def delete(self) -> None:
        """Remove everything that the handler and the kernel keep of it, killing what still runs.

        Absent parts are skipped.
        """

    async def close(self) -> None:
        """The daemon ends: drop clients and descriptors. The container continues."""


class Handler(Protocol):
    """Runs containers of the pods that ask for it by name."""

    @property
    def name(self) -> str:
        """CRI's runtime handler."""

    @property
    def capabilities(self) -> Capabilities:
        """What is known by now."""

    async def probe(self) -> None:
        """Find out what the programs can do. Raises FailedPrecondition for one that cannot be executed."""

    def check(self, bundle: Bundle) -> None:
        """Raises InvalidArgument for what it cannot run. Called before the container is made."""

    async def edit(self, spec: dict[str, Any], container: Container, /) -> None:
        """Add to the finished spec of a container what this handler wants there."""

    async def create(self, bundle: Bundle, note: Note) -> Task:
        """Create the container without running its program. A failure leaves nothing.

        `note` is called with a record before anything exists that would outlive the daemon.
        """

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        """The task of a record, running or ended, or None if nothing of it exists.

        With `rebooted`, no process survived.

        Raises OSError if its state cannot be read (EMFILE).
        """

    async def create_sandbox(self, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
        """Start the first process of a pod. The handler sets the root and the program in `spec`."""

    async def wait_sandbox(self, record: HandlerRecord) -> None:
        """Return when that process has ended. Raises OSError for a while: call it again then."""

    def has_sandbox(self, record: HandlerRecord) -> bool:
        """Whether that process is alive."""

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        """Kill it and remove what belongs to it. An absent one succeeds."""

    async def can_checkpoint(self) -> bool:
        """Whether `Task.checkpoint` and bundles with a checkpoint work, given CRIU."""


class HandlerKind(Protocol):
    """A family of handlers of one technique: makes them from the configuration, and cleans up after killed daemons."""

    @property
    def handlers(self) -> dict[str, Handler]:
        """By name, in the order of preference for a default."""

    @property
    def broken(self) -> Mapping[str, str]:
        """The configured handlers that cannot be used, by name, and why. They are not among `handlers`."""

    def of_record(self, name: str) -> Handler | None:
        """A handler to take down what one of that name made, which is not configured any more.

        None when it was not of this kind. The first kind takes whatever no other knows.
        """

    async def end_abandoned(self) -> None:
        """At start, before anything is adopted: end what a killed daemon's calls still do. Raises OSError."""

    async def sweep(self, known: Collection[str]) -> None:
        """At start, after recovery: remove what is kept for containers that are not in `known`. Raises OSError."""

    async def close(self) -> None:
        """The daemon ends. Containers keep running. Raises OSError."""
