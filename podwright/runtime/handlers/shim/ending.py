"""The end of a container that a shim holds: reported by the shim, or made when the shim is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from podwright.errors import NotFound, PodwrightError, Unavailable
from podwright.linux import cgroup, freezer
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.protocol import (
    COMPLETED,
    ERROR,
    OOM_KILLED,
    UNKNOWN,
    UNKNOWN_CODE,
    Bundle,
    Exit,
)
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.launching import Launcher
from podwright.runtime.handlers.shim.pods import PodShim, PodShims
from podwright.runtime.handlers.shim.record import ShimRecord
from podwright.tasks import retrieve

log = logging.getLogger(__name__)

RETRIES, RETRY_S = 3, 0.5  # of a Wait call that fails without reason
KILLED_CODE = 128 + signal.SIGKILL
SHIM_GONE = "its shim ended before it, so it was killed"


class Reports:
    """What events have reported about a container."""

    def __init__(self) -> None:
        self.oom = False
        self.exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def note_exit(self, end: pb.TaskExit) -> None:
        """Its end."""
        if not self.exit.done():
            self.exit.set_result(exit_of(end.exit_status, end.exited_at))


def exit_of(code: int, at: Timestamp) -> Exit:
    """An end as a shim reports it. Without a time, it counts as ended now."""
    finished_at = at.ToNanoseconds() if at.seconds > 0 else time.time_ns()
    return Exit(code=code, reason=ERROR if code else COMPLETED, finished_at=finished_at)


def with_oom(end: Exit, reports: Reports) -> Exit:
    """The end of a container whose processes are not on this host, with the shim's report of a memory kill."""
    is_killed = reports.oom and end.code == KILLED_CODE and end.reason != UNKNOWN
    return msgspec.structs.replace(end, reason=OOM_KILLED) if is_killed else end


class EndWaiter:
    """Waits for one container's end."""

    def __init__(self, pods: PodShims, launcher: Launcher, bundle: Bundle, reports: Reports) -> None:
        self._pods = pods
        self._launcher = launcher
        self._bundle = bundle
        self._reports = reports

    async def end(self, pod: str, shim: PodShim | None) -> Exit:
        """The end as the Wait call or an event reports it. When the shim is gone, the container is killed.

        Raises Unavailable while the daemon ends.
        """
        tries = 0
        while shim is not None:
            try:
                return await self._reported(shim)
            except NotFound:
                return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=time.time_ns())
            except Unavailable:
                shim = await self._pods.rejoin(pod, self._bundle.id)
            except PodwrightError as failure:
                log.warning("a shim does not wait: id=%s error=%s", self._bundle.id[:12], failure)
                tries += 1
                if tries > RETRIES:
                    self._pods.kill(pod)
                await asyncio.sleep(RETRY_S)
        return await self._bury()

    async def _reported(self, shim: PodShim) -> Exit:
        asking: asyncio.Future[pb.WaitResponse] = asyncio.create_task(
            shim.calls.wait(self._bundle.id), name=f"Wait {self._bundle.id[:12]}"
        )
        try:
            waited: list[asyncio.Future[Any]] = [asking, self._reports.exit]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if self._reports.exit.done():
                return self._reports.exit.result()
            reply = asking.result()
        finally:
            asking.cancel()
            asking.add_done_callback(retrieve)
        return exit_of(reply.exit_status, reply.exited_at)

    async def _bury(self) -> Exit:
        """The shim is gone: have its program remove the container, as containerd does."""
        if self._pods.closed:
            raise Unavailable("the daemon ends")
        log.warning("a container lost its shim: id=%s", self._bundle.id[:12])
        reply = await self._launcher.delete(self._bundle.id, self._bundle.directory)
        if reply is None:
            return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=time.time_ns(), message=SHIM_GONE)
        return msgspec.structs.replace(exit_of(reply.exit_status, reply.exited_at), message=SHIM_GONE)


def is_in_cgroup(host: CgroupHost, path: str, pid: int) -> bool:
    """Whether a process is in a cgroup of this host, in any hierarchy, or in one below it."""
    return any(pid in _listed(directory) for directory in host.directories(path)) or pid in cgroup.processes(
        host, path
    )


def _listed(directory: str) -> set[int]:
    try:
        with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            return {int(line) for line in file}
    except OSError:
        return set()


def kill_on_host(host: CgroupHost, bundle: Bundle, record: ShimRecord, number: int) -> None:
    """Send a signal to the first process without the shim, if it is on this host."""
    if not record.on_host:
        return
    try:
        pidfd = os.pidfd_open(record.pid)
    except OSError:  # it has ended
        return
    try:
        if is_in_cgroup(host, bundle.cgroup, record.pid):  # while the descriptor is held, the number is the process's
            signal.pidfd_send_signal(pidfd, number)
            freezer.thaw(host, bundle.cgroup)
    except ProcessLookupError:
        pass
    finally:
        with contextlib.suppress(OSError):
            os.close(pidfd)
