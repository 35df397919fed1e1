"""ExecSync: a command inside a running container, its output collected; nothing of it survives its deadline."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PodwrightError, Unknown
from podwright.linux import cgroup, freezer, proc
from podwright.linux.files import check_space, write_new
from podwright.process import Completed
from podwright.runtime.container import marking
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.handlers.oci import Exec, plain
from podwright.runtime.model.container import Container, ContainerState
from podwright.streams.remote_command.resize import TerminalSize

KILLED_TIMEOUT_S = 2.0


async def exec_sync(
    env: ContainerEnvironment, container: Container, command: tuple[str, ...], timeout_s: float
) -> Completed:
    """Run it and wait; `timeout_s` 0 waits without end.

    Raises InvalidArgument, FailedPrecondition when the container does not run or has just ended, DeadlineExceeded
    after the command and its children were killed, and Unknown when the runtime could not start it.
    """
    check(env, container, command)
    handler = env.handler_of(container)
    bundle = env.paths(container.id).bundle
    prepared = prepare(env, container, command)
    running = asyncio.create_task(
        handler.exec(prepared, env.settings.exec_output_limit_bytes), name=f"exec in {container.id[:12]}"
    )
    try:
        async with asyncio.timeout(timeout_s or None):
            if await hangs(running, prepared.pid_file, env.settings.runtime_timeout_s):
                raise DeadlineExceeded(f"{handler.name} exec {container.id[:12]} hangs")
    except TimeoutError as late:
        raise DeadlineExceeded(f"exec in container {container.id[:12]} did not end within {timeout_s:g} s") from late
    else:
        completed = running.result()
        if completed.returncode != 0 and read_pid(prepared.pid_file) is None:
            check_space(bundle)
            _check_alive(container)
            raise Unknown(f"exec in container {container.id[:12]}: {plain(completed.error_text())}")
        return completed
    finally:
        if not running.done():
            await asyncio.shield(_end(env, container, running, prepared.stem))
        for path in (prepared.process_file, prepared.pid_file):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def check(env: ContainerEnvironment, container: Container, command: tuple[str, ...]) -> None:
    """Raises InvalidArgument and FailedPrecondition for what cannot be run."""
    if not command or not command[0]:
        raise InvalidArgument("exec: the command is empty")
    if any("\0" in word for word in command):
        raise InvalidArgument("exec: a NUL in the command")
    if container.state is not ContainerState.RUNNING:
        raise FailedPrecondition(f"container {container.id[:12]} is not running ({container.state})")
    if freezer.is_frozen(env.cgroups, container.cgroup):  # the command would stand still as well
        raise FailedPrecondition(f"container {container.id[:12]} is paused", hint="unpause it first")


def _check_alive(container: Container) -> None:
    """Raises FailedPrecondition when the first process ends or has ended, which the record may not tell of yet.

    What an OCI runtime says of it then depends on how far it has come, such as "setns: Bad file descriptor".
    """
    first = proc.stat(container.pid)
    if first is None or first.is_exiting:
        raise FailedPrecondition(f"container {container.id[:12]} is not running any more")


async def hangs(running: asyncio.Future[Any], pid_file: str, patience_s: float) -> bool:
    """Whether the runtime of an exec hangs; false when it has ended. Waits until one or the other is known.

    It may take `patience_s` to start the command and, once that has ended, as long again to say so, give or take one.
    """
    ended = False
    while not (await asyncio.wait({running}, timeout=patience_s))[0]:
        pid = read_pid(pid_file)
        command = proc.stat(pid) if pid is not None else None
        runs = command is not None and not command.is_zombie
        if pid is None or (ended and not runs):
            return True
        ended = not runs
    return False


def prepare(
    env: ContainerEnvironment,
    container: Container,
    command: tuple[str, ...],
    *,
    terminal: bool = False,
    size: TerminalSize | None = None,
) -> Exec:
    """What the handler needs to start the command, its process file written. Raises OSError."""
    paths = env.paths(container.id)
    stem = f"{paths.bundle}/{marking.new_token()}"  # `end_abandoned` knows an exec's files by it
    wanted = Exec(
        container_id=container.id,
        stem=stem,
        owner=env.user_on_host(container),
        oom_score_adj=container.resources.oom_score_adj,
        mark=marking.of_path(stem),
    )
    write_process(wanted.process_file, paths.spec, command, terminal=terminal, size=size)
    return wanted


async def _end(env: ContainerEnvironment, container: Container, running: asyncio.Task[Completed], stem: str) -> None:
    """Kill an exec that still runs: the command and its descendants first, so that the runtime sees its end."""
    await asyncio.to_thread(kill_command, env, container, stem)
    await asyncio.wait({running}, timeout=KILLED_TIMEOUT_S)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, PodwrightError):
        await running


def kill_command(env: ContainerEnvironment, container: Container, stem: str) -> None:
    """SIGKILL the command of an exec and all its descendants, also those that became daemons. Blocks."""
    marks = _marks([stem])
    if (pid := read_pid(f"{stem}.pid")) is not None:
        proc.kill_tree(pid)
    marking.kill_marked(env.cgroups, container.cgroup, marks)


def end_abandoned(env: ContainerEnvironment, container: Container) -> None:
    """At start: kill what a killed daemon was running for callers who are gone, and delete its files. Blocks."""
    stem = glob.escape(f"{env.paths(container.id).bundle}/exec-") + "*"
    paths = glob.glob(stem)
    if paths:
        abandoned = {read_pid(path) for path in paths if path.endswith(".pid")}
        marks = _marks({os.path.splitext(path)[0] for path in paths})
        for pid in cgroup.processes(env.cgroups, container.cgroup) & abandoned:
            proc.kill_tree(pid)
        marking.kill_marked(env.cgroups, container.cgroup, marks)
    for path in paths:
        os.unlink(path)


def _marks(stems: Iterable[str]) -> dict[int, int]:
    """The marks of execs, each with the start of its command; 0 when that has ended, or has not begun."""
    found = {}
    for stem in stems:
        pid = read_pid(f"{stem}.pid")
        if (mark := marking.of_path(stem)) is not None:
            found[mark] = (proc.start_time(pid) if pid is not None else None) or 0
    return found


def write_process(
    path: str,
    spec_path: str,
    command: tuple[str, ...],
    *,
    terminal: bool = False,
    size: TerminalSize | None = None,
) -> None:
    """The container's own process spec with other arguments, and a terminal (of that size) or none."""
    with open(spec_path, "rb") as file:
        process: dict[str, Any] = msgspec.json.decode(file.read())["process"]
    process["args"] = list(command)
    process["terminal"] = terminal
    if size is not None:
        process["consoleSize"] = {"width": size.width, "height": size.height}
    if terminal and not any(entry.startswith("TERM=") for entry in process["env"]):
        process["env"].append("TERM=xterm")
    write_new(path, msgspec.json.encode(process), mode=0o600)


def read_pid(path: str) -> int | None:
    """The PID that the runtime wrote; None while it has started nothing."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None
