"""Starts conmon for a container, and waits for its answer: the PID of a process that waits for `start`.

conmon runs the OCI runtime's create. With images of CRIU it runs restore instead, and the container runs at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable

import msgspec

from podwright.errors import DeadlineExceeded, RuntimeFailed
from podwright.linux import proc
from podwright.process import Command, OutputPipe, Process, ProcessRunner, read_line, search_path
from podwright.runtime.handlers.oci import conmon
from podwright.runtime.handlers.oci.conmon import Monitored
from podwright.runtime.handlers.oci.runtime import REPLY_LIMIT_BYTES, OciRuntime, last_record, log_file, plain

log = logging.getLogger(__name__)

CONMON_END_S = 2.0  # from its answer to its end, when it could not create


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """The monitor, and the first process of the container, which does not run the program yet."""

    pid: int
    monitor: Process


async def create(
    runtime: OciRuntime, container: Monitored, runner: ProcessRunner, spawned: Callable[[Process, int], None]
) -> Created:
    """Start the monitor and let the runtime create the container.

    `spawned` is called with the monitor and its start time before anything else happens. Raises RuntimeFailed with
    the runtime's message if it refuses, and DeadlineExceeded if it hangs, after killing the monitor.
    """
    monitor, reader, errors = _spawn(runtime, container, runner)
    try:
        spawned(monitor, proc.start_time(monitor.pid) or 0)
        reply = await _reply(runtime, container, reader, errors)
    except BaseException:
        monitor.kill_group()
        raise
    finally:
        os.close(reader)
        errors.close()  # conmon ignores SIGPIPE, and continues
    if warning := last_record(log_file(container.directory)):
        log.debug("runtime warns while it creates: id=%s warning=%s", container.id[:12], plain(warning))
    runtime.learn(container.id, container.directory)
    return Created(pid=reply.pid, monitor=monitor)


async def _reply(runtime: OciRuntime, container: Monitored, reader: int, errors: OutputPipe) -> conmon.CreateReply:
    try:
        async with asyncio.timeout(runtime.timeout_s):
            reply = conmon.parse_reply(await read_line(reader, REPLY_LIMIT_BYTES))
    except TimeoutError as late:
        raise DeadlineExceeded(
            f"{runtime.name} create {container.id[:12]} hangs{conmon.complaint(errors.data)}"
        ) from late
    if reply.pid > 0:
        return reply
    await errors.ended(CONMON_END_S)
    message = reply.message or last_record(log_file(container.directory))
    reason = plain(message) if message else "conmon gave no reason"
    raise RuntimeFailed(
        f"{runtime.name} cannot create container {container.id[:12]}: {reason}{conmon.complaint(errors.data)}"
    )


def _spawn(runtime: OciRuntime, container: Monitored, runner: ProcessRunner) -> tuple[Process, int, OutputPipe]:
    """The monitor, the pipe on which it will answer, and its stderr."""
    programs = runtime.programs
    argv = conmon.command_line(
        programs.conmon,
        (*programs.launcher, *runtime.argv_with_log(log_file(container.directory))),
        container,
        options=programs.conmon_options,
    )
    path = search_path(container.criu_directory)
    # TZ is for the times in the log.
    env = {"PATH": path, "TZ": "UTC0", "LC_ALL": conmon.LOCALE, "_OCI_SYNCPIPE": str(conmon.SYNC_FD)}
    with contextlib.ExitStack() as undo, contextlib.ExitStack() as child_ends:
        reader, reply_end = _pipe(undo, child_ends)
        errors_reader, errors_end = _pipe(undo, child_ends)
        fds = {2: errors_end, conmon.SYNC_FD: reply_end}
        monitor = runner.start(Command(argv=argv, timeout_s=runtime.timeout_s, env=env, fds=fds))
        undo.pop_all()
    return monitor, reader, OutputPipe(errors_reader, 2, REPLY_LIMIT_BYTES)


def _pipe(undo: contextlib.ExitStack, child_ends: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe from a child: our end, which `undo` closes, and the child's end."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    undo.callback(os.close, reader)
    child_ends.callback(os.close, writer)
    return reader, writer
