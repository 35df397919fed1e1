"""One container that a shim holds, from its creation to its deletion."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import msgspec

from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    NotFound,
    PodwrightError,
    RuntimeFailed,
    Unavailable,
)
from podwright.linux import cgroup, freezer
from podwright.linux.cgroup import CgroupHost
from podwright.process import Completed
from podwright.runtime.handlers.processes import cgroups as container_cgroups
from podwright.runtime.handlers.processes import limits, log_files, memory
from podwright.runtime.handlers.processes.attach import AttachPoint
from podwright.runtime.handlers.protocol import (
    Attached,
    Bundle,
    Exec,
    ExecProcess,
    Exit,
    HandlerRecord,
    Note,
    TaskState,
    TaskStatus,
)
from podwright.runtime.handlers.shim import ending, execs, stdio, usage
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.attaching import ShimLink
from podwright.runtime.handlers.shim.bootstrap import packed_json
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.events import Events
from podwright.runtime.handlers.shim.launching import Launcher
from podwright.runtime.handlers.shim.logs import LogWriterProcess
from podwright.runtime.handlers.shim.options import ShimRuntimeOptions
from podwright.runtime.handlers.shim.pods import PodShim, PodShims
from podwright.runtime.handlers.shim.record import ShimRecord
from podwright.runtime.handlers.shim.stdio import Input
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import Usage
from podwright.runtime.oci_spec import resources
from podwright.tasks import Tasks
from podwright.timeline import Step

log = logging.getLogger(__name__)

RESOURCES_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
END_S = 5.0  # from a SIGKILL to the end that the shim reports
DRAIN_S = 5.0  # from the end to that of the output
STATES = {
    pb.STATUS_CREATED: TaskState.CREATED,
    pb.STATUS_RUNNING: TaskState.RUNNING,
    pb.STATUS_PAUSED: TaskState.RUNNING,
    pb.STATUS_PAUSING: TaskState.RUNNING,
    pb.STATUS_STOPPED: TaskState.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimHost:
    """What the tasks of one handler work with."""

    name: str
    cgroups: CgroupHost
    pods: PodShims
    launcher: Launcher
    logs: LogWriterProcess
    events: Events
    options: ShimRuntimeOptions


class ShimTask:
    """A container. Made by `ShimHandler`. See Task."""

    def __init__(self, host: ShimHost, bundle: Bundle, record: ShimRecord, shim: PodShim | None = None) -> None:
        """`shim` is the pod's, if it is there already."""
        self._host = host
        self._bundle = bundle
        self._record = record
        self._shim = shim
        # A runc shim gives a process without stdin the host's /dev/null: it gets a pipe whose end has come instead.
        self._ends_input = host.options.is_runc and not (bundle.stdin or bundle.terminal or bundle.checkpoint)
        self._fifos = stdio.fifos(
            f"{bundle.directory}/io", stdin=bundle.stdin or self._ends_input, terminal=bundle.terminal
        )
        self._background = Tasks()
        self._reports = ending.Reports()
        self._interrupted = False  # what the shim does of the create is not known
        self._watch: asyncio.Task[Exit] | None = None
        self._attach_point = AttachPoint(bundle.id, self._link)
        self._may_be_paused = shim is not None

    @property
    def record(self) -> HandlerRecord:
        return self._record.stored()

    @property
    def cgroup(self) -> str | None:
        return self._bundle.cgroup if self._record.on_host else None

    @property
    def _calls(self) -> ShimCalls:
        """Raises FailedPrecondition when the shim is gone."""
        if self._shim is None or self._shim.is_lost:
            raise FailedPrecondition(f"the shim of container {self._bundle.id[:12]} is gone")
        return self._shim.calls

    # -- creation and start

    async def create(self, note: Note) -> None:
        """Called once, by the handler. See Handler.create."""
        note(self.record)
        if self._bundle.log_path:
            log_files.make(self._bundle.log_path)
        self._fifos.make()
        # Side by side, and both have ended when one has failed.
        results = await asyncio.gather(self._join(), self._open_logs(), return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure
        note(self.record)
        request = pb.CreateRequest(
            id=self._bundle.id,
            bundle=self._bundle.directory,
            terminal=self._bundle.terminal,
            stdin=self._fifos.stdin,
            stdout=self._fifos.stdout,
            stderr=self._fifos.stderr,
            checkpoint=self._bundle.checkpoint,
            options=self._host.options.of(self._bundle.owner),
        )
        self._host.events.listeners[self._bundle.id] = self
        self._interrupted = True
        with Step("shim Create"), self._noting_refusal():
            pid = await self._calls.create(request)
        self._interrupted = False
        self._learn_process(pid)
        self.watch()

    @contextlib.contextmanager
    def _noting_refusal(self) -> Iterator[None]:
        """A shim that refuses has cleaned up."""
        try:
            yield
        except RuntimeFailed:
            self._interrupted = False
            raise

    async def _join(self) -> None:
        shim = self._shim = await self._host.pods.join(self._record.pod, self._bundle.id)
        self._record = msgspec.structs.replace(
            self._record, path=shim.address.path, version=shim.address.version, shim_pid=shim.pid
        )

    async def _open_logs(self) -> None:
        await self._host.logs.open(self._bundle.id, self._bundle.log_path, self._fifos.outputs)

    def _learn_process(self, pid: int) -> None:
        """Whether the shim's PID is that of a process of this container on this host: a VM's are not.

        Once it was, it stays so: the process may have ended by now.
        """
        known = self._record.on_host and pid == self._record.pid
        on_host = known or (pid > 0 and ending.is_in_cgroup(self._host.cgroups, self._bundle.cgroup, pid))
        self._record = msgspec.structs.replace(self._record, pid=pid, on_host=on_host)

    def watch(self) -> None:
        """Begin to wait for the end."""
        if self._watch is None:
            self._watch = self._background.job(self._wait(), name=f"wait for {self._bundle.id[:12]}")
            self._watch.add_done_callback(ending.retrieve)

    async def adopt(self) -> None:
        """After a restart: what a killed daemon was doing is ended, the log is read on, the end is waited for."""
        if self._shim is not None:
            self._host.events.listeners[self._bundle.id] = self
            with contextlib.suppress(PodwrightError):
                await self._open_logs()
            if not self._hangs:
                await execs.end_abandoned(self._shim.calls, self._bundle)
        self.watch()

    async def start(self) -> int | None:
        calls = self._calls
        if self._ends_input:
            ending_input = self._input().end(lambda: calls.close_stdin(self._bundle.id))
            self._background.start(ending_input, name=f"end input of {self._bundle.id[:12]}")
        with Step("shim Start"):
            pid = await calls.start(self._bundle.id)
        self._learn_process(pid)
        return pid if self._record.on_host else None

    # -- life and end

    async def status(self) -> TaskStatus:
        try:
            state = await self._calls.state(self._bundle.id)
        except (NotFound, FailedPrecondition, RuntimeFailed, Unavailable):
            return TaskStatus(state=TaskState.NONE)
        found = STATES.get(state.status, TaskState.NONE)
        if found is TaskState.RUNNING and state.pid:
            self._learn_process(state.pid)
        return TaskStatus(state=found, pid=self._record.pid if self._record.on_host else None)

    async def wait(self) -> Exit:
        self.watch()
        assert self._watch is not None
        return await asyncio.shield(self._watch)

    async def _wait(self) -> Exit:
        host, bundle = self._host, self._bundle
        end = await ending.Watcher(host.pods, host.launcher, bundle, self._reports).end(self._record.pod, self._shim)
        if not await host.logs.drained(bundle.id, DRAIN_S):
            log.debug("a container's output has not ended: id=%s", bundle.id[:12])
        if not self._record.on_host:
            return ending.with_oom(end, self._reports)
        if end.message or bundle.shares_pid_namespace:  # nobody else saw to its processes, or may have failed to
            await asyncio.to_thread(cgroup.kill_all, host.cgroups, bundle.cgroup)
        kills = await memory.seen(host.cgroups, bundle.cgroup, reported=self._reports.oom)
        return memory.judge(end, self._record.pid, kills)

    def note_oom(self) -> None:
        """An event: see events.ShimListener."""
        self._reports.oom = True

    def note_exit(self, end: pb.TaskExit) -> None:
        """An event: see events.ShimListener."""
        self._reports.note_exit(end)

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        if self._watch is not None and self._watch.done():
            return
        try:
            if self._hangs:
                ending.kill_on_host(self._host.cgroups, self._bundle, self._record, number)
            else:
                await self._calls.kill(self._bundle.id, number, everyone=everyone)
                if self._may_be_paused:
                    await self.resume()
        except NotFound:
            return
        except (FailedPrecondition, RuntimeFailed) as failure:
            log.debug("a signal was not sent: id=%s error=%s", self._bundle.id[:12], failure)
        except (DeadlineExceeded, Unavailable) as failure:
            log.warning("a shim does not send a signal: id=%s error=%s", self._bundle.id[:12], failure)
            self._note_hang()
            ending.kill_on_host(self._host.cgroups, self._bundle, self._record, number)
        if everyone and number == signal.SIGKILL:
            await self._end_everything()

    @property
    def _hangs(self) -> bool:
        return self._shim is not None and self._shim.calls.hangs

    def _note_hang(self) -> None:
        if self._shim is not None:
            self._shim.calls.hangs = True

    async def _end_everything(self) -> None:
        """Its processes on this host. And the shim, if that does not notice."""
        if self._record.on_host:
            await asyncio.to_thread(cgroup.kill_all, self._host.cgroups, self._bundle.cgroup)
        if not await self._ends_within(END_S / 2):
            log.warning("a shim is killed, it does not see its container's end: id=%s", self._bundle.id[:12])
            self._host.pods.kill(self._record.pod)

    async def _ends_within(self, timeout_s: float) -> bool:
        if self._watch is None:
            return True
        await asyncio.wait({self._watch}, timeout=timeout_s)
        return self._watch.done()

    async def pids(self) -> frozenset[int]:
        if not self._record.on_host:
            return frozenset()
        return frozenset(cgroup.processes(self._host.cgroups, self._bundle.cgroup))

    # -- pauses and limits

    async def pause(self) -> None:
        if await self.is_paused():
            return
        self._may_be_paused = True
        try:
            await self._calls.pause(self._bundle.id)
        except (NotFound, RuntimeFailed) as failure:
            if (await self.status()).state is not TaskState.RUNNING:
                raise FailedPrecondition(f"container {self._bundle.id[:12]} has ended") from failure
            raise

    async def resume(self) -> None:
        if not await self.is_paused():
            return
        with contextlib.suppress(NotFound):
            await self._calls.resume(self._bundle.id)
        self._may_be_paused = False

    async def is_paused(self) -> bool:
        if self._record.on_host:
            return freezer.is_frozen(self._host.cgroups, self._bundle.cgroup)
        try:
            return (await self._calls.state(self._bundle.id)).status == pb.STATUS_PAUSED
        except (NotFound, FailedPrecondition):
            return False

    async def held_memory_bytes(self) -> int | None:
        if not self._record.on_host:
            return None
        return cgroup.memory_held_bytes(self._host.cgroups, self._bundle.cgroup)

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        if self._record.on_host:
            return limits.updated(self._host.cgroups, self._bundle, before, now, self._set_limits)
        return self._updated(before, now)

    async def _set_limits(self, wanted: Resources) -> None:
        document = msgspec.json.encode(resources.oci_resources(wanted))
        await self._calls.update(self._bundle.id, packed_json(RESOURCES_TYPE, document))

    @contextlib.asynccontextmanager
    async def _updated(self, before: Resources, now: Resources) -> AsyncIterator[None]:
        await self._set_limits(now)
        try:
            yield
        except BaseException:
            await asyncio.shield(self._set_limits(before))
            raise

    # -- what runs in it, and its stdio

    def _running(self, process: ExecProcess) -> execs.Running:
        is_runc = self._host.options.is_runc
        return execs.Running(self._calls, self._host.cgroups, self._bundle, process, ends_input=is_runc)

    async def exec(self, process: ExecProcess) -> Exec:
        running = self._running(process)
        return await execs.start(running, self._background)

    async def exec_sync(self, process: ExecProcess, *, timeout_s: float, output_limit_bytes: int) -> Completed:
        running = self._running(process)
        return await execs.run(running, self._background, timeout_s=timeout_s, output_limit_bytes=output_limit_bytes)

    async def attach(self) -> Attached:
        return await self._attach_point.client()

    async def _link(self) -> ShimLink:
        connection = await self._host.logs.attach(self._bundle.id)
        return ShimLink(self._bundle, self._calls, connection, self._input() if self._bundle.stdin else None)

    def _input(self) -> Input:
        return Input(self._fifos.stdin, lambda: self._watch is not None and self._watch.done())

    async def reopen_log(self) -> None:
        if self._bundle.log_path:
            log_files.make(self._bundle.log_path)
            await self._host.logs.reopen(self._bundle.id)

    async def stats(self) -> Usage | None:
        try:
            return usage.usage(await self._calls.stats(self._bundle.id), time.time_ns())
        except (PodwrightError, TimeoutError) as failure:
            log.debug("a shim reports no usage: id=%s error=%s", self._bundle.id[:12], failure)
            return None

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:  # noqa: ARG002 # the shim has its own PATH
        await self._calls.checkpoint(self._bundle.id, images, self._host.options.of_checkpoint(images, work))

    # -- deletion

    async def delete(self) -> None:
        """Also when the shim fails or hangs: then it is killed, and its program cleans up without it."""
        with Step("shim Delete"):
            if not await self._delete_by_shim():
                self._host.pods.kill(self._record.pod)
                await self._host.launcher.delete(self._bundle.id, self._bundle.directory)
        with Step("cgroup"):
            await asyncio.to_thread(container_cgroups.remove, self._host.cgroups, self._bundle.cgroup)
        self._host.events.listeners.pop(self._bundle.id, None)
        await self._host.logs.close_streams(self._bundle.id)
        await self._host.pods.leave(self._record.pod, self._bundle.id)
        await self.close()
        self._fifos.remove()

    async def _delete_by_shim(self) -> bool:
        """Whether nothing is left of it for the shim to do. One that hangs is not asked again."""
        if self._shim is None:
            self._shim = await self._host.pods.rejoin(self._record.pod, self._bundle.id)
        if self._shim is None or self._hangs:
            return self._shim is None and self._is_new
        try:
            await self._kill_and_delete(self._calls)
        except NotFound:
            if self._interrupted:
                await self._host.launcher.delete(self._bundle.id, self._bundle.directory)
        except PodwrightError as failure:
            log.warning("a shim does not delete a container: id=%s error=%s", self._bundle.id[:12], failure)
            return False
        return True

    @property
    def _is_new(self) -> bool:
        """Whether no shim has ever heard of it."""
        return not self._record.path and not self._interrupted

    async def _kill_and_delete(self, calls: ShimCalls) -> None:
        if self._watch is None or not self._watch.done():
            with contextlib.suppress(RuntimeFailed, FailedPrecondition):  # it has ended
                await calls.kill(self._bundle.id, signal.SIGKILL)
            self.watch()
            await self._ends_within(END_S)
        await calls.delete(self._bundle.id)

    async def close(self) -> None:
        await self._attach_point.close()
        await self._background.close()
