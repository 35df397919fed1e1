"""The shutdown manager: lets the machine wait until pods have ended, those of low priority first.

It holds a delay lock of logind. When the machine shuts down it ends the pods and releases the lock. When the shutdown
is cancelled it takes the lock again. The rules are the kubelet's (pkg/kubelet/nodeshutdown of Kubernetes 1.36), except
on a machine without logind: there a kubelet gives up, but this agent logs that once and tries again every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.machine_sections import PriorityGrace
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.shutdown import ShutdownMetrics
from podwright.agent.shutdown.groups import ShutdownGroup, grace_s, groups, total_s
from podwright.agent.shutdown.protocol import LoginManager
from podwright.agent.shutdown.state_file import ShutdownFile, ShutdownTimes
from podwright.agent.workers.ending import Cause, Ender
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PROBLEM = "node is shutting down"
MESSAGE = "Pod was terminated in response to imminent node shutdown."
CAUSE = Cause(reason="Terminated", message=MESSAGE, disruption=MESSAGE, keeps_success=True)
RECONNECT_S, NO_LOGIND_S = 1.0, 60.0
TAKES_EFFECT_TRIES, TAKES_EFFECT_S = 5, 0.1  # each pause is twice the one before
UNMOUNT_POLL_S = 0.1


class ShutdownPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager needs of other rooms."""

    connect: Callable[[], Awaitable[LoginManager]]  # raises Unavailable
    active: Callable[[], list[Pod]]
    ender: Ender
    has_volumes: Callable[[str], bool]  # whether volumes of the pod with this UID are mounted
    node_changed: Callable[[], None]
    file: ShutdownFile
    events: EventRecorder
    metrics: ShutdownMetrics
    clock: Clock


class ShutdownManager:
    """Waits for shutdowns."""

    def __init__(self, ports: ShutdownPorts, found: tuple[PriorityGrace, ...], *, keeps_times: bool = True) -> None:
        """`found` are the `groups.periods`. `keeps_times`: whether the file and the metrics record shutdowns."""
        self._ports = ports
        self._periods = found
        self._keeps_times = keeps_times
        self._lock: int | None = None
        self._problem = ""
        self._tasks = Tasks()
        self.is_shutting_down = False

    @property
    def problem(self) -> str:
        """Why the node is not ready. Empty if no shutdown is in progress."""
        return PROBLEM if self.is_shutting_down else ""

    async def close(self) -> None:
        """Release the lock, so that shutdowns do not wait any more."""
        await self._tasks.close()
        self._let_go()

    async def run(self) -> None:
        """Wait for shutdowns, forever. Returns at once if shutdowns do not wait for pods."""
        if not self._periods:
            return
        if self._keeps_times:
            self._show(self._ports.file.read())
        while True:
            pause_s = NO_LOGIND_S
            try:
                logind = await self._ports.connect()
                pause_s = RECONNECT_S
                try:
                    await self._serve(logind)
                finally:
                    await logind.close()
            except (PodwrightError, OSError) as failure:
                if str(failure) != self._problem:
                    log.warning("pods will be killed when the machine shuts down: error=%s", failure)
                self._problem = str(failure)
            await asyncio.sleep(pause_s)

    async def _serve(self, logind: LoginManager) -> None:
        """Wait for shutdowns until the connection is lost. Raises PodwrightError and OSError."""
        await self._ensure_time(logind)
        await self._take_lock(logind)
        self._problem = ""
        log.info("a shutdown of the machine waits for pods: limit_s=%d", total_s(self._periods))
        while True:
            is_shutting_down = await logind.next_shutdown()
            what = "event" if is_shutting_down else "cancellation"
            self._ports.events.node("Normal", "Shutdown", f"Shutdown manager detected shutdown {what}")
            self.is_shutting_down = is_shutting_down
            self._ports.node_changed()
            if is_shutting_down:
                await self._shut_down()
            else:
                await self._take_lock(logind)

    async def _ensure_time(self, logind: LoginManager) -> None:
        """Make logind wait for as long as the pods may take. Raises FailedPrecondition if it does not."""
        wanted_s = total_s(self._periods)
        if await logind.longest_delay_s() >= wanted_s:
            return
        await logind.allow_delay(wanted_s)
        allowed_s, pause_s = 0.0, TAKES_EFFECT_S
        for _ in range(TAKES_EFFECT_TRIES):
            if (allowed_s := await logind.longest_delay_s()) >= wanted_s:
                return
            await asyncio.sleep(pause_s)
            pause_s *= 2
        raise FailedPrecondition(
            f"logind lets a shutdown wait for {allowed_s:g} s and not for {wanted_s} s",
            hint="set InhibitDelayMaxSec in logind.conf",
        )

    async def _take_lock(self, logind: LoginManager) -> None:
        """Take a new lock before releasing the old one, so that there is always one."""
        lock = await logind.delay_shutdown()
        self._let_go()
        self._lock = lock

    def _let_go(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)
            self._lock = None

    async def _shut_down(self) -> None:
        """End all pods, then let the machine shut down in any case."""
        start_s = self._now_s()
        try:
            await self._note(ShutdownTimes(start_s=start_s))
            for group in groups(self._periods, self._ports.active()):
                await self._end_group(group)
            await self._note(ShutdownTimes(start_s=start_s, end_s=self._now_s()))
        finally:
            self._let_go()
        log.info("pods have ended, the machine may shut down: took_s=%.1f", self._now_s() - start_s)

    async def _end_group(self, group: ShutdownGroup) -> None:
        """End the pods of a group concurrently, and wait no longer than the group may take."""
        log.info("pods end before the machine does: pods=%d grace_s=%d", len(group.pods), group.grace_s)
        work = self._tasks.start(self._end_all(group), name="end a group of pods")
        _, pending = await asyncio.wait({work}, timeout=group.grace_s)
        if pending:
            log.warning("pods have not ended in time before the machine does: grace_s=%d", group.grace_s)

    async def _end_all(self, group: ShutdownGroup) -> None:
        """End the pods, and wait for their volumes, too: their drivers may be pods of the next group."""
        await asyncio.gather(*(self._ports.ender.end(pod, CAUSE, grace_s(pod, group)) for pod in group.pods))
        while any(self._ports.has_volumes(pod.metadata.uid) for pod in group.pods):  # noqa: ASYNC110 # there is no notice
            await asyncio.sleep(UNMOUNT_POLL_S)

    async def _note(self, times: ShutdownTimes) -> None:
        if self._keeps_times:
            await asyncio.to_thread(self._ports.file.write, times)
            self._show(times)

    def _show(self, times: ShutdownTimes) -> None:
        self._ports.metrics.start.set(times.start_s)
        self._ports.metrics.end.set(times.end_s)

    def _now_s(self) -> float:
        return float(self._ports.clock.now_ns() // 10**9)
