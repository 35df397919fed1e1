"""One container that a shim holds, from its creation to its deletion."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

from podwright.errors import PodwrightError, RuntimeFailed
from podwright.linux import cgroup
from podwright.process import Completed
from podwright.runtime.handlers.processes import cgroups as container_cgroups
from podwright.runtime.handlers.processes import log_files
from podwright.runtime.handlers.processes.attach import AttachPoint
from podwright.runtime.handlers.protocol import (
    Attached,
    Bundle,
    Exec,
    ExecProcess,
    Exit,
    HandlerRecord,
    Note,
    TaskStatus,
)
from podwright.runtime.handlers.shim import execs, killing, stdio, usage
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.attaching import ShimLink
from podwright.runtime.handlers.shim.limiting import Limiting
from podwright.runtime.handlers.shim.member import ShimHost, ShimMember
from podwright.runtime.handlers.shim.pods import PodShim
from podwright.runtime.handlers.shim.record import ShimRecord
from podwright.runtime.handlers.shim.stdio import Input
from podwright.runtime.handlers.shim.watching import EndWatch
from podwright.runtime.model.base import Resources
from podwright.runtime.model.usage import Usage
from podwright.tasks import Tasks
from podwright.timeline import Step

log = logging.getLogger(__name__)


class ShimTask:
    """A container. Made by `ShimHandler`. See Task."""

    def __init__(self, host: ShimHost, bundle: Bundle, record: ShimRecord, shim: PodShim | None = None) -> None:
        """`shim` is the pod's, if it is there already."""
        self._host = host
        self._bundle = bundle
        self._member = ShimMember(host, bundle, record, shim)
        # A runc shim gives a process without stdin the host's /dev/null: it gets a pipe whose end has come instead.
        self._ends_input = host.options.is_runc and not (bundle.stdin or bundle.terminal or bundle.checkpoint)
        self._fifos = stdio.fifos(
            f"{bundle.directory}/io", stdin=bundle.stdin or self._ends_input, terminal=bundle.terminal
        )
        self._background = Tasks()
        self._watch = EndWatch(self._member, self._background)
        self._limiting = Limiting(self._member, may_be_paused=shim is not None)
        self._attach_point = AttachPoint(bundle.id, self._link)

    @property
    def record(self) -> HandlerRecord:
        return self._member.record.stored()

    @property
    def cgroup(self) -> str | None:
        return self._bundle.cgroup if self._member.record.on_host else None

    # -- creation and start

    async def create(self, note: Note) -> None:
        """Called once, by the handler. See Handler.create."""
        note(self.record)
        if self._bundle.log_path:
            log_files.make(self._bundle.log_path)
        self._fifos.make()
        # Side by side. When one fails, the other has ended too.
        results = await asyncio.gather(self._member.join(), self._open_logs(), return_exceptions=True)
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
        self._host.events.listeners[self._bundle.id] = self._watch
        self._member.interrupted = True
        with Step("shim Create"), self._noting_refusal():
            pid = await self._member.calls.create(request)
        self._member.interrupted = False
        self._member.learn_process(pid)
        self._watch.begin()

    @contextlib.contextmanager
    def _noting_refusal(self) -> Iterator[None]:
        """Note that a shim has refused: it has cleaned up then."""
        try:
            yield
        except RuntimeFailed:
            self._member.interrupted = False
            raise

    async def _open_logs(self) -> None:
        await self._host.logs.open(self._bundle.id, self._bundle.log_path, self._fifos.outputs)

    async def adopt(self) -> None:
        """After a restart: end what a killed daemon was doing, read the log on, and wait for the end."""
        shim = self._member.shim
        if shim is not None:
            self._host.events.listeners[self._bundle.id] = self._watch
            with contextlib.suppress(PodwrightError):
                await self._open_logs()
            if not self._member.hangs:
                await execs.end_abandoned(shim.calls, self._bundle)
        self._watch.begin()

    async def start(self) -> int | None:
        calls = self._member.calls
        if self._ends_input:
            ending_input = self._input().end(lambda: calls.close_stdin(self._bundle.id))
            self._background.start(ending_input, name=f"end input of {self._bundle.id[:12]}")
        with Step("shim Start"):
            pid = await calls.start(self._bundle.id)
        self._member.learn_process(pid)
        return pid if self._member.record.on_host else None

    # -- life and end

    async def status(self) -> TaskStatus:
        return await self._member.status()

    async def wait(self) -> Exit:
        return await self._watch.end()

    async def kill(self, number: int, *, everyone: bool = False) -> None:
        await killing.kill(self._member, self._watch, self._limiting, number, everyone=everyone)

    async def pids(self) -> frozenset[int]:
        if not self._member.record.on_host:
            return frozenset()
        return frozenset(cgroup.processes(self._host.cgroups, self._bundle.cgroup))

    async def pause(self) -> None:
        await self._limiting.pause()

    async def resume(self) -> None:
        await self._limiting.resume()

    async def is_paused(self) -> bool:
        return await self._limiting.is_paused()

    async def held_memory_bytes(self) -> int | None:
        return self._limiting.held_memory_bytes()

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        return self._limiting.update(before, now)

    # -- what runs in it, and its stdio

    def _running(self, process: ExecProcess) -> execs.ShimProcess:
        is_runc = self._host.options.is_runc
        return execs.ShimProcess(self._member.calls, self._host.cgroups, self._bundle, process, ends_input=is_runc)

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
        return ShimLink(self._bundle, self._member.calls, connection, self._input() if self._bundle.stdin else None)

    def _input(self) -> Input:
        return Input(self._fifos.stdin, lambda: self._watch.is_over)

    async def reopen_log(self) -> None:
        if self._bundle.log_path:
            log_files.make(self._bundle.log_path)
            await self._host.logs.reopen(self._bundle.id)

    async def stats(self) -> Usage | None:
        try:
            return usage.usage(await self._member.calls.stats(self._bundle.id), time.time_ns())
        except (PodwrightError, TimeoutError) as failure:
            log.debug("a shim reports no usage: id=%s error=%s", self._bundle.id[:12], failure)
            return None

    async def checkpoint(self, *, images: str, work: str, path: str) -> None:  # noqa: ARG002 # the shim has its own PATH
        options = self._host.options.of_checkpoint(images, work)
        await self._member.calls.checkpoint(self._bundle.id, images, options)

    # -- deletion

    async def delete(self) -> None:
        with Step("shim Delete"):
            await killing.delete(self._member, self._watch)
        with Step("cgroup"):
            await asyncio.to_thread(container_cgroups.remove, self._host.cgroups, self._bundle.cgroup)
        self._host.events.listeners.pop(self._bundle.id, None)
        await self._host.logs.close_streams(self._bundle.id)
        await self._host.pods.leave(self._member.record.pod, self._bundle.id)
        await self.close()
        self._fifos.remove()

    async def close(self) -> None:
        await self._attach_point.close()
        await self._background.close()
