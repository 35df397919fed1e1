"""Exec: which process to start in a container, and whether it may start."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.process import Completed
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.protocol import Environment
from podwright.runtime.handlers.protocol import Exec, ExecProcess
from podwright.runtime.model.container import Container
from podwright.runtime.model.streaming import ExecRequest
from podwright.streams.remote_command.resize import TerminalSize


async def check(env: Environment, container: Container, command: tuple[str, ...]) -> None:
    """Raises InvalidArgument and FailedPrecondition for a command that cannot run."""
    if not command or not command[0]:
        raise InvalidArgument("exec: the command is empty")
    if any("\0" in word for word in command):
        raise InvalidArgument("exec: the command contains a NUL byte")
    if await env.task(container).is_paused():  # the command would be frozen as well
        raise FailedPrecondition(f"container {container.id[:12]} is paused", hint="unpause it first")


async def exec_sync(
    env: ContainerEnvironment, container: Container, command: tuple[str, ...], timeout_s: float
) -> Completed:
    """Run a command and wait for its end. `timeout_s` 0 means no limit. Raises as `check` and Task.exec_sync do."""
    await check(env, container, command)
    process = ExecProcess(spec=_process(env, container, command), owner=env.user_on_host(container))
    limit_bytes = env.settings.exec_output_limit_bytes
    return await env.task(container).exec_sync(process, timeout_s=timeout_s, output_limit_bytes=limit_bytes)


async def start(
    env: ContainerEnvironment, container: Container, request: ExecRequest, size: TerminalSize | None
) -> Exec:
    """Start a command, on a terminal of `size` if requested. Raises as `check` and Task.exec do."""
    await check(env, container, request.command)
    spec = _process(env, container, request.command, terminal=request.tty, size=size)
    process = ExecProcess(spec=spec, owner=env.user_on_host(container), stdin=request.stdin)
    return await env.task(container).exec(process)


def _process(
    env: ContainerEnvironment,
    container: Container,
    command: tuple[str, ...],
    *,
    terminal: bool = False,
    size: TerminalSize | None = None,
) -> dict[str, Any]:
    with open(env.paths(container.id).spec, "rb") as file:
        return exec_process(file.read(), command, terminal=terminal, size=size)


def exec_process(
    spec: bytes, command: tuple[str, ...], *, terminal: bool = False, size: TerminalSize | None = None
) -> dict[str, Any]:
    """OCI's `process` of the container's spec with other arguments, and with or without a terminal. Pure."""
    process: dict[str, Any] = msgspec.json.decode(spec)["process"]
    process["args"] = list(command)
    process["terminal"] = terminal
    if size is not None:
        process["consoleSize"] = {"width": size.width, "height": size.height}
    if terminal and not any(entry.startswith("TERM=") for entry in process["env"]):
        process["env"].append("TERM=xterm")
    return process
