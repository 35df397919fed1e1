"""One container under conmon, from its creation to its deletion."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError
from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.process import Completed, Process, ProcessRunner
from podwright.runtime.handlers.oci import (
    ending,
    exec_stream,
    exec_sync,
    execs,
    exit_directories,
    first_process,
    limits,
    logs,
    monitor,
    monitor_link,
)
from podwright.runtime.handlers.oci.conmon import Monitored
from podwright.runtime.handlers.oci.record import OciRecord
from podwright.runtime.handlers.oci.runtime import OciRuntime
from podwright.runtime.handlers.processes import cgroups as container_cgroups
from podwright.runtime.handlers.processes import limits as shared_limits
from podwright.runtime.handlers.processes.attach import AttachPoint
from podwright.runtime.handlers.protocol import (
    Attached,
    Bundle,
    Exec,
    ExecProcess,
    Exit,
    HandlerRecord,
    TaskState,
    TaskStatus,
)
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import Usage
from podwright.timeline import Step

log = logging.getLogger(__name__)

KILLED_TIMEOUT_S = 5.0
STATUS_TIMEOUT_S = 10.0  # of a question that takes milliseconds; nobody is served while we wait for the answer


class OciHost(msgspec.Struct, frozen=True, kw_only=True):
    """What the tasks of all handlers work with. `state` is the daemon's directory."""

    cgroups: CgroupHost
    state: str
    runner: ProcessRunner
    criu_directory: str = ""


class OciTask:
    """A container. Made by `OciHandler`."""

    def __init__(
        self,
        host: OciHost,
        runtime: OciRuntime,
        bundle: Bundle,
        record: OciRecord,
        monitor: Process | None = None,
    ) -> None:
        """`monitor` is conmon while it runs."""
        self._host = host
        self._runtime = runtime
        self._bundle = bundle
        self._record = record
        self._monitor = monitor
        self._hangs = False  # the runtime let a deadline pass: it is not asked again
        self._attach_point = AttachPoint(bundle.id, lambda: monitor_link.connect(bundle))

    @property
    def record(self) -> HandlerRecord:
        return self._record.stored()

    @property
    def cgroup(self) -> str | None:
        return self._bundle.cgroup

    @property
    def _monitored(self) -> Monitored:
        bundle = self._bundle
        return Monitored(
            id=bundle.id,
            name=bundle.name,
            directory=bundle.directory,
            exits=exit_directories.path(self._host.state, bundle.id),
            log_path=logs.conmon_path(bundle.directory, bundle.log_path),
            terminal=bundle.terminal,
            stdin=bundle.stdin,
            stdin_once=bundle.stdin_once,
            images=bundle.checkpoint,
            criu_directory=self._host.criu_directory,
        )

    async def create(self, note: Callable[[HandlerRecord], None]) -> None:
        """Start the monitor, which creates the container. Called once, by the handler: see Handler.create."""
        logs.prepare(self._bundle.directory, self._bundle.log_path)
        os.makedirs(exit_directories.path(self._host.state, self._bundle.id), mode=0o700, exist_ok=True)

        def spawned(process: Process, start_time: int) -> None:
            self._monitor = process
            self._record = OciRecord(monitor_pid=process.pid, monitor_start_time=start_time)
            note(self.record)

        with self._noting_hangs(), Step(f"{self._runtime.name} create"):
            created = await monitor.create(self._runtime, self._monitored, self._host.runner, spawned)
        self._record = msgspec.structs.replace(self._record, pid=created.pid)

    async def start(self) -> int | None:
        first_process.set_up(self._bundle, self._record.pid)
        if not self._bundle.checkpoint:  # a restored one runs already
            with self._noting_hangs(), Step(f"{self._runtime.name} start"):
                await self._runtime.start(self._bundle.id, self._bundle.directory)
        return self._record.pid

    async def status(self) -> TaskStatus:
        """Only a container whose monitor lives can be running: without it, there is no end to be seen."""
        if self._monitor is None or not self._runtime.knows(self._bundle.id):
            return TaskStatus(state=TaskState.NONE)
        try:
            with self._noting_hangs():
                async with asyncio.timeout(STATUS_TIMEOUT_S):
                    status = await self._runtime.status(self._bundle.id)
        except TimeoutError as late:
            raise DeadlineExceeded(f"{self._runtime.name} state {self._bundle.id[:12]} hangs") from late
        except DeadlineExceeded:
            raise
        except PodwrightError as failure:
            log.warning("runtime does not report a container's state: id=%s error=%s", self._bundle.id[:12], failure)
            return TaskStatus(state=TaskState.NONE)
        if status.state is TaskState.RUNNING and status.pid:
            self._record = msgspec.structs.replace(self._record, pid=status.pid)
        return status

    async def wait(self) -> Exit:
        return await ending.wait(self._host.cgroups, self._bundle, self._monitored, self._record, self._monitor)

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        cgroups, path = self._host.cgroups, self._bundle.cgroup
        if not everyone:
            self._signal(number)
        elif number == signal.SIGKILL:
            empty = await asyncio.to_thread(cgroup.kill_all, cgroups, path)
            if empty or ending.has_ended(self._record):
                ending.give_up_monitor(self._monitored, self._record)
            return
        else:
            for pid in cgroup.processes(cgroups, path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        container_cgroups.thaw(cgroups, path)  # a paused process takes the signal as it continues

    def _signal(self, number: int) -> None:
        """To the first process. The number is that process's as long as its parent is the monitor."""
        first = proc.stat(self._record.pid)
        if first is not None and first.parent == self._record.monitor_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._record.pid, number)

    async def pids(self) -> frozenset[int]:
        return frozenset(cgroup.processes(self._host.cgroups, self._bundle.cgroup))

    async def pause(self) -> None:
        try:
            await asyncio.to_thread(container_cgroups.freeze, self._host.cgroups, self._bundle.cgroup)
        except FileNotFoundError as gone:
            raise FailedPrecondition(f"container {self._bundle.id[:12]} has ended") from gone

    async def resume(self) -> None:
        container_cgroups.thaw(self._host.cgroups, self._bundle.cgroup)

    async def is_paused(self) -> bool:
        return container_cgroups.is_frozen(self._host.cgroups, self._bundle.cgroup)

    async def held_memory_bytes(self) -> int | None:
        return cgroup.memory_held_bytes(self._host.cgroups, self._bundle.cgroup)

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        cgroups, bundle = self._host.cgroups, self._bundle

        async def apply(wanted: Resources) -> None:
            await limits.set_limits(self._runtime, cgroups, bundle, wanted)

        return shared_limits.updated(cgroups, bundle, before, now, apply)

    async def exec(self, process: ExecProcess) -> Exec:
        return await exec_stream.start(self._runtime, execs.prepare(self._bundle, process), process)

    async def exec_sync(self, process: ExecProcess, *, timeout_s: float, output_limit_bytes: int) -> Completed:
        return await exec_sync.run(
            self._runtime,
            self._host.cgroups,
            self._bundle,
            execs.prepare(self._bundle, process),
            first_pid=self._record.pid,
            timeout_s=timeout_s,
            output_limit_bytes=output_limit_bytes,
        )

    async def attach(self) -> Attached:
        return await self._attach_point.client()

    async def reopen_log(self) -> None:
        await logs.reopen(self._bundle.directory, self._bundle.log_path, self._record.monitor_pid)

    async def stats(self) -> Usage | None:
        return None  # the cgroup's counters tell

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:
        await self._runtime.checkpoint(self._bundle.id, images=images, work=work, path=path)

    async def delete(self) -> None:
        """Also when the runtime fails, or hangs: one that let a deadline pass is not asked, it would take as long."""
        if not self._record.pid and self._monitor is not None:
            await self._end_monitor()  # it may still be at work on the create
        try:
            if not self._hangs and not self._left_only_files():
                await self._runtime.delete(self._bundle.id)
        except PodwrightError as failure:
            log.warning("deleting container without its runtime: id=%s error=%s", self._bundle.id[:12], failure)
        with Step("cgroup"):
            await asyncio.to_thread(container_cgroups.remove, self._host.cgroups, self._bundle.cgroup)
        self._runtime.forget(self._bundle.id)
        shutil.rmtree(exit_directories.path(self._host.state, self._bundle.id), ignore_errors=True)
        await self.close()

    def _left_only_files(self) -> bool:
        """Of a container that has ended, most runtimes' delete has nothing to do but to remove files."""
        has_ended = self._record.pid and (self._monitor is None or self._monitor.returncode is not None)
        return bool(has_ended) and self._runtime.leaves_only_files(self._bundle.directory)

    async def _end_monitor(self) -> None:
        if self._monitor is None or self._monitor.returncode is not None:
            return
        self._monitor.kill_group()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILLED_TIMEOUT_S):
                await self._monitor.wait()

    @contextlib.contextmanager
    def _noting_hangs(self) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, DeadlineExceeded):
            self._hangs = True
            raise

    async def close(self) -> None:
        await self._attach_point.close()
