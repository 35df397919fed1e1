"""The program of an OCI runtime (crun, runc, runsc): one method for each of its commands.

Called by the rest of this room. It keeps no records: what must survive the daemon is in the bundle directory, in the
runtime's own state, and in the record of the container.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.errors import RuntimeFailed
from podwright.linux.sealed import SealedProgram
from podwright.process import Command, Completed, Process, ProcessRunner
from podwright.runtime.handlers.oci.filters import CompiledFilters
from podwright.runtime.handlers.protocol import TaskState, TaskStatus

REPLY_LIMIT_BYTES = 65536
RUNC_RECORD = re.compile(r'level=\w+ msg="((?:[^"\\]|\\.)*)"')
RUNSC_RECORD = re.compile(r'^\{"msg":"((?:[^"\\]|\\.)*)"')
# Below these no container starts: measured with crun 1.8 (256 KiB is enough, 128 is not) and runc 1.1 (4 MiB, 2).
CRUN_FLOOR_BYTES, OTHER_FLOOR_BYTES = 256 * 1024, 4 * 1024 * 1024
LOAD_LIBRARY = "import ctypes; ctypes.CDLL('libcriu.so.2')"
KNOWN_TO_KEEP_FILES = frozenset({"crun", "runc"})
LOG_FILE = "\\nlog file:"  # what runc and crun say last of a checkpoint: a path that will be gone
CRUN_PREFIX = re.compile(r"^(\d{4}-\d\d-\d\dT\S+Z: )?(error: )?")


class RuntimeExec(msgspec.Struct, frozen=True, kw_only=True):
    """A process to be started in a container that runs.

    `stem` is what the paths of its two files start with. `owner` is the user and the group, on the host, that it runs
    as. `oom_score_adj` is the container's: crun leaves an exec with what crun itself has. All that descends from it
    has `mark` as its timer slack: see `marks`.
    """

    container_id: str
    stem: str
    owner: tuple[int, int]
    oom_score_adj: int
    mark: int | None

    @property
    def process_file(self) -> str:
        """Where its OCI process spec is."""
        return f"{self.stem}.json"

    @property
    def pid_file(self) -> str:
        """Where the runtime writes its PID. The file stays until the exec's files are removed."""
        return f"{self.stem}.pid"

    @property
    def log_file(self) -> str:
        """Where the runtime writes its log while it starts the process."""
        return f"{self.stem}.log"

    @property
    def guest_pid_file(self) -> str:
        """Where a runtime with sandboxes writes the PID that it has in there."""
        return f"{self.stem}.guest"


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler runs: absolute paths, and what is known of the programs there."""

    runtime: str
    kind: str  # what the runtime calls itself
    conmon: str
    conmon_options: frozenset[str]  # the long options that this conmon has
    sealed: SealedProgram | None = None  # the runtime, if it is to be run from a sealed copy
    launcher: tuple[str, ...] = ()  # what stands before the runtime in the argv that conmon executes
    sandboxes: bool = False  # a pod's containers run in one sandbox of the runtime's: see `guest`

    @property
    def is_crun(self) -> bool:
        """Whether what is known of crun holds."""
        return self.kind == "crun"


class OciRuntime:
    """One configured OCI runtime."""

    def __init__(
        self,
        name: str,
        programs: Programs,
        *,
        state: str,
        runner: ProcessRunner,
        timeout_s: float,
        systemd_cgroup: bool = False,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """The runtime keeps its state below `state`. `timeout_s` limits one call of it, `arguments` stand in each."""
        self.name = name
        self.programs = programs
        self.timeout_s = timeout_s
        self.systemd_cgroup = systemd_cgroup
        systemd = ("--systemd-cgroup",) if systemd_cgroup else ()
        self._options = (f"--root={state}/{name}", *systemd, *arguments)
        self._state = f"{state}/{name}"
        self._runner = runner
        self._filters = CompiledFilters()

    @property
    def is_crun(self) -> bool:
        """Whether what is known of crun holds."""
        return self.programs.is_crun

    @property
    def memory_floor_bytes(self) -> int:
        """Below this memory limit no container starts."""
        if self.programs.sandboxes:
            return 0  # the limits of one container are not enforced
        return CRUN_FLOOR_BYTES if self.is_crun else OTHER_FLOOR_BYTES

    @property
    def argv(self) -> tuple[str, ...]:
        """The runtime with its global arguments."""
        sealed = self.programs.sealed
        return (sealed.path() if sealed is not None else self.programs.runtime, *self._options)

    def argv_with_log(self, path: str) -> tuple[str, ...]:
        """The runtime with its global arguments, for a call that gives its own stderr to a process in a container.

        A runtime without a log file writes warnings to its stderr, where they become that process's output. Errors
        go to the log and to stderr. crun takes what is before a colon for the kind of log.
        """
        prefix = "file:" if self.is_crun else ""
        return (*self.argv, f"--log={prefix}{path}")

    def prepare(self, spec: dict[str, Any]) -> None:
        """Add to a spec the results of what the runtime has worked out before."""
        if self.is_crun:
            self._filters.annotate(spec)

    def learn(self, container_id: str, bundle: str) -> None:
        """Keep what the runtime's create has worked out, for later containers."""
        if self.is_crun:
            self._filters.learn(f"{bundle}/config.json", f"{self._state}/{container_id}/seccomp.bpf")

    async def run_detached(self, container_id: str, bundle: str, *options: str) -> int:
        """Run a container without a monitor and return its PID. Raises RuntimeFailed with the runtime's message.

        `options` are further global ones. After the runtime's end, no process holds the other ends of its stdio.
        """
        pid_file = f"{bundle}/pidfile"
        argv = (*self.argv_with_log(log_file(bundle)), *options, "run", "--detach", f"--pid-file={pid_file}")
        argv = (*argv, f"--bundle={bundle}", container_id)
        completed = await self._runner.run(Command(argv=argv, timeout_s=self.timeout_s, drain_s=0.0))
        if completed.returncode != 0:
            message = last_record(log_file(bundle)) or completed.error_text()
            raise RuntimeFailed(f"{self.name} cannot run {container_id[:12]}: {plain(message)}")
        try:
            return int(read_text(pid_file, REPLY_LIMIT_BYTES))
        except ValueError as nonsense:
            raise RuntimeFailed(f"{self.name} ran {container_id[:12]}, but left no PID") from nonsense

    async def start(self, container_id: str, bundle: str) -> None:
        """Let the created process run its program. Raises RuntimeFailed with the runtime's message."""
        in_short = self.programs.is_crun and not may_have(bundle, "poststart")
        if not (in_short and release_from_fifo(f"{self._state}/{container_id}/exec.fifo")):
            await self._call("start", container_id)

    async def delete(self, container_id: str) -> None:
        """Kill what is left of the container and remove the runtime's state and cgroup. An absent one succeeds."""
        if self.knows(container_id):
            await self._call("delete", "--force", container_id)

    def leaves_only_files(self, bundle: str) -> bool:
        """Whether the runtime keeps nothing but its state of a container that has ended: `forget` does then.

        crun's and runc's delete kill what is left in the cgroup, remove it, and their own files. Besides they run
        hooks and remove a resctl group, if the spec has such, and have systemd stop its scope. Other runtimes may
        do anything.
        """
        is_known = self.programs.kind in KNOWN_TO_KEEP_FILES and not self.systemd_cgroup
        return is_known and not may_have(bundle, "hooks", "intelRdt")

    def forget(self, container_id: str) -> None:
        """Remove the runtime's state of a container. The caller has handled its processes and its cgroup."""
        shutil.rmtree(f"{self._state}/{container_id}", ignore_errors=True)
        for path in self._guest_files(container_id):
            os.unlink(path)

    async def exec(self, wanted: RuntimeExec, output_limit_bytes: int) -> Completed:
        """Run a process in the container and collect its output. The caller limits the time.

        The return code is the process's. Its PID is in its file while it runs.
        """
        command = self._exec_command(wanted)
        return await self._runner.run(msgspec.structs.replace(command, output_limit_bytes=output_limit_bytes))

    def start_exec(self, wanted: RuntimeExec, *, fds: Mapping[int, int], console: str = "") -> Process:
        """Start a process in the container. The exit code is the runtime's, 128 + n for signals.

        `fds` has 0, 1 and 2, which no other process has or will have. The PID is in its file once the program runs.
        If it ends without a PID, descriptor 2 has the reason. For a process with a terminal, the runtime sends the
        terminal's master to the socket `console`. Without `console`, it copies to and from a terminal of its
        caller's, which 0 and 1 must be.
        """
        socket = (f"--console-socket={console}",) if console else ()
        return self._runner.start(msgspec.structs.replace(self._exec_command(wanted, *socket), fds=fds))

    def _exec_command(self, wanted: RuntimeExec, *options: str) -> Command:
        files = [f"--process={wanted.process_file}", f"--pid-file={wanted.pid_file}"]
        if self.programs.sandboxes:
            files.append(f"--internal-pid-file={wanted.guest_pid_file}")
        return Command(
            argv=(*self.argv_with_log(wanted.log_file), "exec", *files, *options, wanted.container_id),
            timeout_s=None,
            owner=wanted.owner,
            oom_score_adj=wanted.oom_score_adj,
            timer_slack_ns=wanted.mark,
        )

    @property
    def hands_over_terminal(self) -> bool:
        """Whether `start_exec` takes a console: runc does so only when it detaches, and then keeps no exit code."""
        return self.programs.is_crun

    async def kill(self, container_id: str, number: int, *options: str) -> None:
        """Have the runtime send a signal. Raises RuntimeFailed, also if there is no process any more."""
        await self._call("kill", *options, container_id, str(number))

    async def stats(self, container_id: str) -> bytes:
        """What the runtime's `events --stats` prints. Raises RuntimeFailed."""
        return (await self._call("events", "--stats", container_id)).stdout

    async def update(self, container_id: str, resources: dict[str, Any]) -> None:
        """Change a running container's limits, by OCI's names for them. Raises RuntimeFailed.

        systemd learns of them too where it makes the cgroups. What was written before a failure stays.
        """
        await self._call("update", "--resources=-", container_id, stdin=json.dumps(resources).encode())

    async def can_checkpoint(self) -> bool:
        """Whether the runtime has the command, and crun its library, which it loads only when it needs it."""
        if self.programs.sandboxes:
            return False  # it would be the whole pod's
        commands: list[tuple[str, ...]] = [(self.programs.runtime, "checkpoint", "--help")]
        if self.is_crun:
            commands.append((sys.executable, "-I", "-S", "-c", LOAD_LIBRARY))
        for argv in commands:
            if (await self._runner.run(Command(argv=argv, timeout_s=self.timeout_s))).returncode != 0:
                return False
        return True

    async def checkpoint(self, container_id: str, *, images: str, work: str, path: str) -> None:
        """Let CRIU write the container's processes to `images` and its own log to `work`. The processes keep running.

        The runtime looks CRIU up in `path`. The caller limits the time. Raises RuntimeFailed.
        """
        options = (f"--image-path={images}", f"--work-path={work}", "--leave-running", "--file-locks")
        argv = (*self.argv, "checkpoint", *options, container_id)
        completed = await self._runner.run(Command(argv=argv, timeout_s=None, env={"PATH": path}))
        if completed.returncode != 0:
            message = plain(completed.error_text()).partition(LOG_FILE)[0]
            raise RuntimeFailed(f"{self.name} checkpoint {container_id[:12]}: {message}")

    async def status(self, container_id: str) -> TaskStatus:
        """What the runtime says of the container. Raises RuntimeFailed and DeadlineExceeded."""
        completed = await self._call("state", container_id)
        try:
            document = json.loads(completed.stdout)
            return TaskStatus(state=TaskState(document.get("status", "")), pid=int(document.get("pid", 0)))
        except (ValueError, TypeError, AttributeError) as nonsense:
            raise RuntimeFailed(f"{self.name} state {container_id}: the answer cannot be read") from nonsense

    def knows(self, container_id: str) -> bool:
        """Whether the runtime has state of this container."""
        return os.path.isdir(f"{self._state}/{container_id}") or bool(self._guest_files(container_id))

    def _guest_files(self, container_id: str) -> list[str]:
        """runsc's state of a container: files in no directory. A runtime of an unknown kind may be runsc."""
        if self.programs.kind and not self.programs.sandboxes:
            return []
        return glob.glob(f"{glob.escape(self._state)}/{glob.escape(container_id)}_sandbox:*")

    async def _call(self, *arguments: str, stdin: bytes = b"") -> Completed:
        """One call of the runtime. Raises RuntimeFailed with its message when it fails."""
        command = Command(argv=(*self.argv, *arguments), timeout_s=self.timeout_s, stdin=stdin)
        completed = await self._runner.run(command)
        if completed.returncode != 0:
            message = completed.error_text() or f"it ended with {completed.shell_code} and said nothing"
            raise RuntimeFailed(f"{self.name} {' '.join(arguments)}: {plain(message)}")
        return completed


def release_from_fifo(path: str) -> bool:
    """Do what `crun start` does for a container without poststart hooks, without its 4 ms.

    The created process waits to read a byte from this fifo, whose presence means "created" to crun (libcrun,
    status.c). False, with nothing done, when it is not there or nobody reads from it yet.
    """
    try:
        fifo = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(fifo, b"\0")
        # Last: if we are killed in between, the container is "created" again, not a process that waits forever.
        os.unlink(path)
    finally:
        os.close(fifo)
    return True


def may_have(bundle: str, *parts: str) -> bool:
    """Whether one of these keys may be in a bundle's spec: they are looked for without reading it as JSON."""
    try:
        with open(f"{bundle}/config.json", "rb") as file:
            spec = file.read()
    except OSError:
        return True
    return any(f'"{part}"'.encode() in spec for part in parts)


def log_file(bundle: str) -> str:
    """Where a runtime writes its log while it makes the container of this bundle."""
    return f"{bundle}/runtime.log"


def last_record(path: str) -> str:
    """The last line of a runtime's log, or "". A runtime that fails says why in it, after its warnings."""
    lines = read_text(path, REPLY_LIMIT_BYTES).splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")


def read_text(path: str, limit_bytes: int) -> str:
    """What a runtime wrote to a file, or ""."""
    try:
        with open(path, "rb") as file:
            return file.read(limit_bytes).decode(errors="replace")
    except FileNotFoundError:
        return ""


def plain(message: str) -> str:
    """A runtime's error text as one line: runc's and runsc's log record by its message, crun's without its date."""
    line = " ".join(message.split())
    if record := RUNC_RECORD.search(line) or RUNSC_RECORD.search(line):
        line = record[1].replace('\\"', '"')
    return CRUN_PREFIX.sub("", line) or "it gave no reason"
