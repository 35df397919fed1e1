"""StartContainer, and seeing the end of what was started.

    CREATED --start--> RUNNING --monitor ends--> EXITED
       \\------------ start fails ------------> EXITED (StartError, 128)

The monitor (conmon) is watched by a pidfd: it ends after the container, when its log and exit file are complete.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import time

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unknown
from podwright.linux import cgroup, memory_kills, proc
from podwright.linux.files import check_space
from podwright.process import Process
from podwright.runtime.container import exits, first_process, logs, staging, targets
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.handlers import conmon
from podwright.runtime.insisting import insist
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.model.sandbox import SandboxState
from podwright.timeline import Step

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S, BUSY_POLL_S = 2.0, 0.002
SHARED_PID_MODES = frozenset({NamespaceMode.POD, NamespaceMode.NODE, NamespaceMode.TARGET})


class Runner:
    """Starts containers and keeps one watch per running container."""

    def __init__(self, env: ContainerEnvironment) -> None:
        self._env = env
        self._watches: dict[ContainerId, asyncio.Task[None]] = {}

    async def start(self, container: Container) -> None:
        """Run a CREATED container. Raises FailedPrecondition, and what the runtime says; it is EXITED then."""
        sandbox = self._env.sandboxes.get(container.sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="make a new sandbox")
        handler = self._env.handler_of(container)
        try:
            targets.check(self._env, container)
            logs.prepare(self._env.paths(container.id).bundle, container.log_path)
            async with staging.ready(self._env.paths(container.id), self._env.sandboxes.builder.users):
                with Step(f"{handler.name} create"):
                    started = await handler.create(
                        self._env.monitored(container),
                        lambda monitor, when: self._note_monitor(container.id, monitor, when),
                    )
            first_process.set_up(self._env, container, started.pid)
            if not container.is_restored:
                with Step(f"{handler.name} start"):
                    await handler.start(container.id, self._env.paths(container.id).bundle)
            record = self._env.store.put(
                msgspec.structs.replace(
                    self._env.store.get(container.id),
                    state=ContainerState.RUNNING,
                    started_at=self._env.store.now(),
                    pid=started.pid,
                )
            )
        except BaseException as failure:
            await asyncio.shield(self._fail(container.id, failure))
            if isinstance(failure, Unknown):
                check_space(self._env.paths(container.id).bundle)
            raise
        self.watch(record, started.monitor)
        if container.is_restored:  # its pages are in memory now
            await asyncio.to_thread(shutil.rmtree, self._env.paths(container.id).checkpoint, ignore_errors=True)
        log.info("container is running: id=%s pid=%d", container.id[:12], started.pid)

    def _note_monitor(self, container_id: ContainerId, monitor: Process, start_time: int) -> None:
        """Commit who the monitor is before the runtime does anything, so that a crash cannot lose it."""
        record = self._env.store.get(container_id)
        self._env.store.put(msgspec.structs.replace(record, monitor_pid=monitor.pid, monitor_start_time=start_time))

    async def _fail(self, container_id: ContainerId, failure: BaseException) -> None:
        """Leave nothing of a start that failed but the record that says why."""
        record = self._env.store.get(container_id)
        await self.clear(record, ask_runtime=not isinstance(failure, DeadlineExceeded))
        self._env.store.observe(
            msgspec.structs.replace(
                record,
                state=ContainerState.EXITED,
                finished_at=self._env.store.now(),
                exit_code=exits.START_ERROR_CODE,
                reason=exits.START_ERROR,
                message=str(failure) or type(failure).__name__,
            )
        )
        log.info("container did not start: id=%s error=%s", container_id[:12], failure)

    def watch(self, container: Container, monitor: Process | None) -> None:
        """See to it that the end of a RUNNING container is recorded; None: the monitor has ended already."""
        self._watches[container.id] = asyncio.create_task(
            self._watch(container.id, monitor), name=f"watch {container.id[:12]}"
        )

    async def _watch(self, container_id: ContainerId, monitor: Process | None) -> None:
        what = f"recording the end of container {container_id[:12]}"
        await insist(lambda: self._record_exit(container_id, monitor), what)
        self._watches.pop(container_id, None)

    async def _record_exit(self, container_id: ContainerId, monitor: Process | None) -> None:
        env = self._env
        container = env.store.find(container_id)
        if container is None:
            return
        if container.config.security.namespaces.pid in SHARED_PID_MODES:
            await self._end_orphans(container, monitor)
        if monitor is not None:
            await monitor.wait()
        end = exits.read(conmon.exit_file(env.monitored(container)), now=env.store.now())
        end = exits.judge(end, container.pid, await self._memory_kills(container))
        if end.reason == exits.UNKNOWN:  # without its monitor, even the first process may have gone on
            await asyncio.to_thread(cgroup.kill_all, env.cgroups, container.cgroup)
        env.store.observe(
            msgspec.structs.replace(
                env.store.get(container_id),  # its limits may have changed since
                state=ContainerState.EXITED,
                finished_at=max(end.finished_at, container.started_at),
                exit_code=end.code,
                reason=end.reason,
                message=end.message,
            )
        )
        log.info("container has exited: id=%s code=%d reason=%s", container_id[:12], end.code, end.reason)

    async def _memory_kills(self, container: Container) -> exits.MemoryKills:
        """The kernel's log is read only when there was a kill, or nobody counts them any more."""
        counters = memory_kills.counters(self._env.cgroups, container.cgroup)
        looks = counters is None or counters.processes
        victims = await asyncio.to_thread(memory_kills.victims, container.cgroup) if looks else ()
        return exits.memory_kills(counters, victims, conmon.oom_file(self._env.monitored(container)))

    async def _end_orphans(self, container: Container, monitor: Process | None) -> None:
        """Without a PID namespace of its own, processes outlive the first one: they go as soon as that has ended.

        Not only when the monitor has, which reads their output until they pause.
        """
        known = proc.stat(container.pid)
        if monitor is not None and known is not None and known.parent == container.monitor_pid:
            first = Process.adopt(container.pid, known.start_time)
            ends = [
                asyncio.create_task(one.wait(), name=f"wait for process {one.pid}")
                for one in (first, monitor)
                if one is not None
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
        await asyncio.to_thread(cgroup.kill_all, self._env.cgroups, container.cgroup)

    def give_up_monitor(self, container: Container) -> None:
        """Kill the monitor of a container whose process has ended, but which does not see it.

        The exit code is still to be had from the kernel; it is written down in the monitor's place.
        """
        first = proc.stat(container.pid)
        if first is not None and first.parent == container.monitor_pid and first.is_zombie:
            exits.write(conmon.exit_file(self._env.monitored(container)), first.wait_status)
        log.warning("a monitor is killed, it does not see its container's end: id=%s", container.id[:12])
        proc.kill(container.monitor_pid, container.monitor_start_time)

    async def exited(self, container_id: ContainerId) -> None:
        """Wait until the end of the container is recorded; returns at once when it is not running."""
        watch = self._watches.get(container_id)
        if watch is not None:
            await asyncio.shield(watch)

    async def clear_ended(self, container: Container) -> None:
        """As `clear`, for a container whose end is on record; most runtimes' delete has nothing more to do then."""
        bundle = self._env.paths(container.id).bundle
        ask_runtime = not self._env.handler_of_record(container).leaves_only_files(bundle)
        await self.clear(container, ask_runtime=ask_runtime)

    async def clear(self, container: Container, *, ask_runtime: bool = True) -> None:
        """Remove what the runtime and the kernel keep of a container that has ended, also when the runtime fails.

        One that has just let a deadline pass need not be asked: it would take as long again.
        """
        handler = self._env.handler_of_record(container)
        try:
            if ask_runtime:
                await handler.delete(container.id)
        except PodwrightError as failure:
            log.warning("a container is deleted without its runtime: id=%s error=%s", container.id[:12], failure)
        with Step("cgroup"):
            await asyncio.to_thread(self._clear_cgroup, container)
        handler.forget(container.id)

    def _clear_cgroup(self, container: Container) -> None:
        """A process is listed no more a moment before it has left: until then its cgroup is busy."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            cgroup.kill_all(self._env.cgroups, container.cgroup)
            try:
                cgroup.remove(self._env.cgroups, container.cgroup)
            except OSError as failure:
                if failure.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(BUSY_POLL_S)

    def close(self) -> None:
        """Stop watching; containers and their monitors go on."""
        for watch in self._watches.values():
            watch.cancel()
