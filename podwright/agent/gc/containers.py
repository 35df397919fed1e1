"""Removes dead containers, sandboxes and logs.

When a container ends, the older instances of its pod are removed at once. When a pod is gone, everything of it is
removed at once. The whole node is checked a minute after the last end, and while pods are ending. Without an end there
is nothing to remove.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.decisions.termination import MIN_STOP_S
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.gc.dead import DeadContainerLimits, dead_containers, dead_instances, dead_sandboxes
from podwright.agent.gc.log_files import dangling_links, remove_log_directories, remove_logs
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import (
    ContainerSummary,
    CriContainerState,
    CriSandboxState,
    ObservedPod,
    SandboxSummary,
)
from podwright.errors import NotFound, PodwrightError
from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

PERIOD_S = 60.0
RETRY_S = 5.0  # after a removal that failed
AT_ONCE = 16  # pods


class PodStates(Protocol):
    """What the collector needs of pod workers: `workers.pool`."""

    def should_content_be_removed(self, uid: str) -> bool:
        """Whether nothing of the pod is needed any more."""

    def should_runtime_be_removed(self, uid: str) -> bool:
        """Whether no container of the pod will run again."""

    def is_termination_requested(self, uid: str) -> bool:
        """Whether the pod must end, or has ended."""


class ContainerGcPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector needs of other rooms."""

    runtime: CriRuntime
    pods: PodStates
    look: Callable[[str], ObservedPod | None]  # the newest look at a pod
    is_own: Callable[[str], bool]  # whether this agent may remove logs of the pod with this UID
    all_sources_read: Callable[[], bool]
    events: EventRecorder
    clock: Clock
    log_root: str
    links_directory: str


class ContainerGc:
    """Implements `loop.DeadContainers`."""

    def __init__(self, ports: ContainerGcPorts, kept: DeadContainerLimits) -> None:
        self._ports = ports
        self._kept = kept
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._due_at: float | None = 0.0  # of the next check of the whole node: at once after a start
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._failure = ""

    def pod_changed(self, uid: str) -> None:
        self._changed.add(uid)
        self._arm(PERIOD_S)

    def pod_gone(self, uid: str) -> None:
        self._gone.add(uid)
        self._arm(PERIOD_S)

    def _arm(self, wait_s: float) -> None:
        due_at = self._ports.clock.monotonic() + wait_s
        self._due_at = due_at if self._due_at is None else min(self._due_at, due_at)
        self._news.set()

    async def run(self) -> None:
        """Collect whenever there may be something to collect, forever."""
        while True:
            self._news.clear()
            while self._gone:
                gone, self._gone = self._gone, set()
                self._changed -= gone
                await self._collect_gone(gone)
            while self._changed:
                await self._collect_pod(self._changed.pop())
            wait_s = None if self._due_at is None else self._due_at - self._ports.clock.monotonic()
            if wait_s is not None and wait_s <= 0:
                await self._collect_logged()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def _collect_pod(self, uid: str) -> None:
        """Remove the older instances of one pod's containers."""
        observed = self._ports.look(uid)
        if observed is None:
            return
        per_container = 0 if self._is_removable(uid) else self._kept.per_container
        async with self._turn:
            for status in dead_instances(observed.containers, per_container):
                await self._remove_logged(status.id)

    async def _collect_gone(self, uids: Collection[str]) -> None:
        """Remove everything of pods that are gone."""
        if self._kept.min_age_s > 0:
            return  # the check of the whole node respects the age of containers
        limit = asyncio.Semaphore(AT_ONCE)

        async def remove(uid: str) -> bool:
            async with limit:
                return not self._is_removable(uid) or await self._remove_pod(uid)

        try:
            async with self._turn:
                removed = await asyncio.gather(*(remove(uid) for uid in uids))
        except (PodwrightError, OSError) as failure:
            log.warning("what is left of pods cannot be removed: error=%s", failure)
            removed = [False]
        if not all(removed):
            self._arm(RETRY_S)

    async def _remove_pod(self, uid: str) -> bool:
        """Remove a pod's containers, its logs, and last its sandboxes. Returns whether all are gone."""
        observed = self._ports.look(uid)
        containers, sandboxes = (observed.containers, observed.sandboxes) if observed is not None else ((), ())
        removed = await asyncio.gather(*(self._remove_container(each.id) for each in containers))
        await asyncio.to_thread(self._remove_all_logs, uid)
        if not all(removed):
            return False
        return all(await asyncio.gather(*(self._remove_sandbox(each.id) for each in sandboxes)))

    def _remove_all_logs(self, uid: str) -> None:
        ports = self._ports
        remove_log_directories(ports.log_root, lambda found: found == uid)
        for link in dangling_links(ports.links_directory, ports.log_root):
            if link.pod_uid == uid:
                remove_file(link.path)

    async def _remove_container(self, container_id: str) -> bool:
        try:
            await self._ports.runtime.remove_container(container_id)
        except PodwrightError as failure:
            log.warning("cannot remove a dead container: id=%s error=%s", container_id, failure)
            return False
        return True

    async def _collect_logged(self) -> None:
        self._due_at = None
        try:
            is_more_to_come = await self.collect()
            self._failure = ""
        except (PodwrightError, OSError) as failure:
            is_more_to_come = True
            if str(failure) != self._failure:
                log.warning("dead containers cannot be removed: error=%s", failure)
                self._ports.events.node("Warning", "ContainerGCFailed", str(failure))
            self._failure = str(failure)
        if is_more_to_come:
            self._arm(PERIOD_S)

    async def collect(self, *, everything: bool = False) -> bool:
        """Check the whole node. Returns whether something may be removed later.

        `everything`: also remove containers of pods that have ended and still exist, because the disk is full. Raises
        PodwrightError and OSError.
        """
        ports = self._ports
        async with self._turn:
            sandboxes, containers = await asyncio.gather(ports.runtime.sandboxes(), ports.runtime.containers())
            is_removable = self._is_ended if everything else self._is_removable
            for chosen in dead_containers(containers, self._kept, ports.clock.now_ns(), is_removable):
                if await self._remove_logged(chosen.id, is_unknown=chosen.state is CriContainerState.UNKNOWN):
                    containers.remove(chosen)
            for sandbox in dead_sandboxes(sandboxes, {each.sandbox_id for each in containers}, is_removable):
                if await self._remove_sandbox(sandbox.id):
                    sandboxes.remove(sandbox)
            if ports.all_sources_read():
                await asyncio.to_thread(remove_log_directories, ports.log_root, self._is_removable)
            await self._sweep_links()
        return not ports.all_sources_read() or self._is_more_to_come(sandboxes, containers)

    def _is_removable(self, uid: str) -> bool:
        ports = self._ports
        return ports.is_own(uid) and ports.all_sources_read() and ports.pods.should_content_be_removed(uid)

    def _is_ended(self, uid: str) -> bool:
        ports = self._ports
        return self._is_removable(uid) or (
            ports.is_own(uid) and ports.all_sources_read() and ports.pods.should_runtime_be_removed(uid)
        )

    def _is_more_to_come(self, sandboxes: Iterable[SandboxSummary], containers: Iterable[ContainerSummary]) -> bool:
        dead = {each.pod_uid for each in sandboxes if each.state is not CriSandboxState.READY}
        dead |= {each.pod_uid for each in containers if each.state is not CriContainerState.RUNNING}
        pods = self._ports.pods
        return any(pods.is_termination_requested(uid) or pods.should_content_be_removed(uid) for uid in dead)

    async def _remove_logged(self, container_id: str, *, is_unknown: bool = False) -> bool:
        """Remove a container, its logs first, because they could not be found without it.

        Returns whether it is gone.
        """
        ports = self._ports
        try:
            status = await ports.runtime.container_status(container_id)
            if is_unknown:  # it may run
                await ports.runtime.stop_container(container_id, MIN_STOP_S)
            await asyncio.to_thread(remove_logs, ports.log_root, status.log_path)
            await ports.runtime.remove_container(container_id)
        except NotFound:
            return True
        except (PodwrightError, OSError) as failure:
            log.warning("cannot remove a dead container: id=%s error=%s", container_id, failure)
            return False
        return True

    async def _remove_sandbox(self, sandbox_id: str) -> bool:
        """Stop and remove a sandbox: only the stop releases its network. Returns whether it is gone."""
        try:
            await self._ports.runtime.stop_sandbox(sandbox_id)
            await self._ports.runtime.remove_sandbox(sandbox_id)
        except PodwrightError as failure:
            log.warning("cannot remove a dead sandbox: id=%s error=%s", sandbox_id, failure)
            return False
        return True

    async def _sweep_links(self) -> None:
        """Remove links whose logs are gone, except for running containers, whose logs are being rotated."""
        ports = self._ports
        for link in await asyncio.to_thread(lambda: list(dangling_links(ports.links_directory, ports.log_root))):
            if not ports.is_own(link.pod_uid):
                continue
            try:
                status = await ports.runtime.container_status(link.container_id)
                is_dead = status.state is CriContainerState.EXITED
            except NotFound:
                is_dead = True
            if is_dead:
                remove_file(link.path)
