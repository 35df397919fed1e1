"""Waits for a container's end, for the last of its output, and for reports of memory kills."""

from __future__ import annotations

import asyncio
import logging

from podwright.linux import cgroup
from podwright.runtime.handlers.processes import memory
from podwright.runtime.handlers.protocol import Exit
from podwright.runtime.handlers.shim import ending
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.member import ShimMember
from podwright.tasks import Tasks, retrieve

log = logging.getLogger(__name__)

DRAIN_S = 5.0  # from the end to that of the output


class EndWatch:
    """Watches one container. Implements `events.ShimListener`."""

    def __init__(self, member: ShimMember, background: Tasks) -> None:
        self._member = member
        self._background = background
        self._reports = ending.Reports()
        self._watch: asyncio.Task[Exit] | None = None

    def begin(self) -> asyncio.Task[Exit]:
        """Begin to wait, unless it waits already."""
        if self._watch is None:
            self._watch = self._background.job(self._wait(), name=f"wait for {self._member.bundle.id[:12]}")
            self._watch.add_done_callback(retrieve)
        return self._watch

    @property
    def is_over(self) -> bool:
        """Whether the end has come."""
        return self._watch is not None and self._watch.done()

    async def end(self) -> Exit:
        """The end, once it has come."""
        return await asyncio.shield(self.begin())

    async def ends_within(self, timeout_s: float) -> bool:
        """Wait that long. True if the end has come, or is not waited for."""
        if self._watch is None:
            return True
        await asyncio.wait({self._watch}, timeout=timeout_s)
        return self._watch.done()

    def note_oom(self) -> None:
        """An event."""
        self._reports.oom = True

    def note_exit(self, end: pb.TaskExit) -> None:
        """An event."""
        self._reports.note_exit(end)

    async def _wait(self) -> Exit:
        host, bundle, record = self._member.host, self._member.bundle, self._member.record
        watcher = ending.EndWaiter(host.pods, host.launcher, bundle, self._reports)
        end = await watcher.end(record.pod, self._member.shim)
        if not await host.logs.drained(bundle.id, DRAIN_S):
            log.debug("a container's output has not ended: id=%s", bundle.id[:12])
        record = self._member.record  # its process is known since its start
        if not record.on_host:
            return ending.with_oom(end, self._reports)
        if end.message or bundle.shares_pid_namespace:  # its other processes may still run
            await asyncio.to_thread(cgroup.kill_all, host.cgroups, bundle.cgroup)
        kills = await memory.seen(host.cgroups, bundle.cgroup, reported=self._reports.oom)
        return memory.judge(end, record.pid, kills)
