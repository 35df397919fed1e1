"""A command in a running container with collected output. Nothing of it survives its deadline."""

from __future__ import annotations

import asyncio
import contextlib

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, RuntimeFailed
from podwright.linux import proc
from podwright.linux.cgroup import CgroupHost
from podwright.linux.files import check_space
from podwright.process import Completed
from podwright.runtime.handlers.oci import execs
from podwright.runtime.handlers.oci.runtime import OciRuntime, RuntimeExec, last_record, plain
from podwright.runtime.handlers.protocol import Bundle


async def run(
    runtime: OciRuntime,
    cgroups: CgroupHost,
    bundle: Bundle,
    prepared: RuntimeExec,
    *,
    first_pid: int,
    timeout_s: float,
    output_limit_bytes: int,
) -> Completed:
    """Run it and wait. `timeout_s` 0 means no limit. `first_pid` is the container's first process.

    Raises FailedPrecondition if the container has just ended, DeadlineExceeded after killing the command and its
    children, and RuntimeFailed if the runtime could not start it.
    """
    running = asyncio.create_task(runtime.exec(prepared, output_limit_bytes), name=f"exec in {bundle.id[:12]}")
    try:
        async with asyncio.timeout(timeout_s or None):
            if await execs.hangs(running, prepared.pid_file, runtime.timeout_s):
                raise DeadlineExceeded(f"{runtime.name} exec {bundle.id[:12]} hangs")
    except TimeoutError as late:
        raise DeadlineExceeded(f"exec in container {bundle.id[:12]} did not end within {timeout_s:g} s") from late
    else:
        completed = running.result()
        if completed.returncode != 0 and execs.read_pid(prepared.pid_file) is None:
            check_space(bundle.directory)
            _check_alive(bundle, first_pid)
            reason = completed.error_text() or last_record(prepared.log_file)
            raise RuntimeFailed(f"exec in container {bundle.id[:12]}: {plain(reason)}")
        return completed
    finally:
        if not running.done():
            await asyncio.shield(_end(runtime, cgroups, bundle, running, prepared.stem))
        execs.remove_files(prepared.stem)


def _check_alive(bundle: Bundle, first_pid: int) -> None:
    """Raises FailedPrecondition when the first process ends or has ended, which the record may not show yet.

    The runtime's own message depends on how far it has come, such as "setns: Bad file descriptor".
    """
    first = proc.stat(first_pid)
    if first is None or first.is_exiting:
        raise FailedPrecondition(f"container {bundle.id[:12]} is not running any more")


async def _end(
    runtime: OciRuntime, cgroups: CgroupHost, bundle: Bundle, running: asyncio.Task[Completed], stem: str
) -> None:
    """Kill an exec that still runs: the command and its descendants first, so that the runtime sees its end."""
    await execs.kill_guest(runtime, bundle.id, stem)
    await asyncio.to_thread(execs.kill, cgroups, bundle.cgroup, stem)
    await asyncio.wait({running}, timeout=execs.KILLED_TIMEOUT_S)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, PodwrightError):
        await running
