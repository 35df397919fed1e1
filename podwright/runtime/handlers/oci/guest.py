"""A container inside its pod's sandbox (gVisor): its processes are the sandbox's, and have no PIDs on this host.

The pod's first container makes the sandbox, so every pod of such a handler has one that only pauses. The sandbox is in
that container's cgroup with everything that runs in it. The runtime sends signals, waits and reports the usage.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError, RuntimeFailed, Unimplemented
from podwright.runtime.handlers.oci import ending, execs
from podwright.runtime.handlers.oci.record import OciRecord
from podwright.runtime.handlers.oci.task import OciTask
from podwright.runtime.handlers.protocol import TaskState, TaskStatus
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import MemoryUsage, Usage

log = logging.getLogger(__name__)


class _Amount(msgspec.Struct, frozen=True):
    total: int = 0
    usage: int = 0


class _Section(msgspec.Struct, frozen=True):
    usage: _Amount = _Amount()


class _Data(msgspec.Struct, frozen=True):
    cpu: _Section | None = None
    memory: _Section | None = None


class _Event(msgspec.Struct, frozen=True):
    """runsc's event, which is runc's: what we read of it."""

    data: _Data = _Data()


class GuestTask(OciTask):
    """Made by `OciHandler`. The process on record is the waiter: see `waiter`."""

    @property
    def cgroup(self) -> None:
        """None of its own: all of the pod's containers are in the sandbox's."""

    async def start(self) -> None:
        """It runs since its creation: see `waiter`. It has no PID on this host."""

    async def status(self) -> TaskStatus:
        """The runtime reports the sandbox's PID, so the waiter's is read from its file."""
        status = await super().status()
        if status.state is TaskState.RUNNING:
            pid = execs.read_pid(f"{self._bundle.directory}/pidfile") or 0
            self._record = OciRecord(
                monitor_pid=self._record.monitor_pid, monitor_start_time=self._record.monitor_start_time, pid=pid
            )
        return TaskStatus(state=status.state)

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        try:
            await self._runtime.kill(self._bundle.id, number, *(("--all",) if everyone else ()))
        except RuntimeFailed as failure:  # it has ended, or its sandbox has, which the waiter notices
            log.debug("the runtime sends no signal: id=%s error=%s", self._bundle.id[:12], failure)
        except PodwrightError:
            if not everyone or number != signal.SIGKILL:
                raise
            ending.give_up_monitor(self._monitored, self._record)

    async def pids(self) -> frozenset[int]:
        return frozenset()

    async def pause(self) -> None:
        raise Unimplemented(
            f"container {self._bundle.id[:12]} cannot be paused: {self._runtime.name} pauses only whole pods"
        )

    async def resume(self) -> None:
        """It is never paused."""

    async def is_paused(self) -> bool:
        return False

    async def held_memory_bytes(self) -> int | None:
        return None

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        @contextlib.asynccontextmanager
        async def refused() -> AsyncIterator[None]:
            if before != now:
                raise FailedPrecondition(
                    f"container {self._bundle.id[:12]} has no limits of its own: {self._runtime.name} runs the pod's "
                    "containers in one sandbox",
                    hint="limit the pod, or run it with another RuntimeClass",
                )
            yield

        return refused()

    async def stats(self) -> Usage | None:
        try:
            return usage(await self._runtime.stats(self._bundle.id), time.time_ns())
        except PodwrightError as failure:
            log.debug("the runtime reports no usage: id=%s error=%s", self._bundle.id[:12], failure)
            return None

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:  # noqa: ARG002 # all are refused
        raise Unimplemented(f"container {self._bundle.id[:12]}: {self._runtime.name} makes no checkpoints for CRIU")


def usage(printed: bytes, now_ns: int) -> Usage | None:
    """The usage in what `events --stats` prints, or None. Pure."""
    try:
        data = msgspec.json.decode(printed, type=_Event).data
    except msgspec.DecodeError:
        return None
    used = data.memory.usage.usage if data.memory is not None else 0
    return Usage(
        timestamp=now_ns,
        cpu_ns=data.cpu.usage.total if data.cpu is not None else None,
        memory=MemoryUsage(
            usage_bytes=used, working_set_bytes=used, rss_bytes=used, page_faults=0, major_page_faults=0
        )
        if data.memory is not None
        else None,
    )
