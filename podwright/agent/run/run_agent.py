"""The agent as the engine of a run: see `session.RunEngine`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable

from podwright.agent.assembly.agent import Agent
from podwright.agent.configs import logs
from podwright.agent.events.log import RecordedEvent
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import log_directories, remove_root
from podwright.agent.workers.record import WorkState
from podwright.errors import FailedPrecondition, Internal, PodwrightError, Unavailable, reason
from podwright.k8s.objects import Pod, PodStatus
from podwright.tasks import Tasks

CHECK_S = 2.0  # how often it is checked whether the runtime can be used
PATIENCE_S = 10.0  # with a runtime that does not answer, because it may be restarting
LEFT_S = 0.1  # between checks of files that are left on disk
BUSY_S = 0.1  # how long a pass may take before the pod's status is shown


class RunAgent:
    """Implements `session.RunEngine`. Belongs to the event loop's thread."""

    def __init__(self, agent: Agent, reporter: Reporter) -> None:
        self._agent = agent
        self._reporter = reporter
        self._root = agent.config.process.root_dir
        self._log_root = agent.config.container_logs.root
        self._tasks = Tasks()
        agent.events.listen(self._note_start)

    async def run(self) -> None:
        """See RunEngine. Raises Unavailable if the runtime cannot be used any more."""
        agent = self._agent
        try:
            await agent.start()
            failed = self._tasks.start(agent.engine.failed(), name="engine")
            silent = self._tasks.start(self._until_unusable(), name="usable runtime")
            await asyncio.wait({failed, silent}, return_when=asyncio.FIRST_COMPLETED)
            if silent.done():
                raise Unavailable(f"the runtime cannot be used: {silent.result()}")
            raise Internal("the sync loop of the agent has ended")
        except OSError as failure:
            raise FailedPrecondition(
                f"the agent cannot work in {self._root}: {reason(failure, path=self._root)}"
            ) from failure
        finally:
            await self._tasks.close()
            await agent.close()
            await self._remove_root()

    async def _remove_root(self) -> None:
        try:
            await asyncio.to_thread(remove_root, self._root)
        except OSError as failure:
            self._reporter.warning(f"{self._root} cannot be removed: {failure.strerror}")

    def _note_start(self, event: RecordedEvent) -> None:
        if event.reason == "Started":
            self._tasks.start(self._show_start(event.subject.uid), name=f"status of pod {event.subject.name}")

    async def _show_start(self, uid: str) -> None:
        """Show containers that have started during a long pass, which may wait for the next image or for a hook.

        Otherwise a pod's status comes with its worker's next pass.
        """
        agent = self._agent
        await asyncio.sleep(BUSY_S)
        pod, before = agent.shared.registry.get(uid), agent.statuses.newest(uid)
        if pod is None or not self._is_starting(uid):
            return
        try:
            status = await agent.statuses.build(pod, await agent.shared.cache.look(uid))
        except PodwrightError:
            return  # the pass itself builds a status
        if self._is_starting(uid) and agent.statuses.newest(uid) is before:  # else this one may be older
            agent.statuses.set(pod, status)

    def _is_starting(self, uid: str) -> bool:
        """Whether the current pass has run for a while."""
        activity = self._agent.engine.workers.activity(uid)
        return activity is not None and activity.state is WorkState.SYNC and (activity.busy_s or 0.0) >= BUSY_S

    async def _until_unusable(self) -> str:
        """Wait until the runtime was unusable for PATIENCE_S. Returns the reason."""
        loop = asyncio.get_running_loop()
        since: float | None = None
        while True:
            problem = self._agent.dependencies.watch.problem()
            if not problem:
                since = None
            elif since is None:
                since = loop.time()
                self._reporter.warning(problem)
            elif loop.time() - since > PATIENCE_S:
                return problem
            await asyncio.sleep(CHECK_S)

    def on_status(self, watcher: Callable[[str, PodStatus], None]) -> None:
        """See RunEngine. As in the API, a terminal phase comes after the pod's last container has ended."""
        self._agent.statuses.on_change(lambda entry: watcher(entry.uid, entry.shown))

    def on_event(self, listener: Callable[[RecordedEvent], None]) -> None:
        self._agent.events.listen(listener)

    def log_path(self, pod: Pod, container: str, attempt: int) -> str:
        return f"{logs.pod_log_directory(self._log_root, pod)}/{logs.log_path(container, attempt)}"

    async def gone(self, uids: Iterable[str]) -> None:
        wanted = tuple(uids)
        while True:
            await self._agent.engine.gone(wanted)
            if not await asyncio.to_thread(self._has_files, wanted):
                return
            await asyncio.sleep(LEFT_S)

    def _has_files(self, uids: Iterable[str]) -> bool:
        return any(
            os.path.lexists(f"{self._root}/pods/{uid}") or any(log_directories(self._log_root, uid)) for uid in uids
        )

    def kill(self, uids: Iterable[str]) -> None:
        """See RunEngine. Calls the runtime, because a worker would give each container a second or two."""
        for uid in uids:
            self._agent.engine.workers.shorten(uid, 0)
            observed = self._agent.shared.cache.peek(uid)
            for status in observed.running() if observed is not None else ():
                self._tasks.start(self._end(status.id), name=f"kill container {status.id}")

    async def _end(self, container_id: str) -> None:
        try:
            await self._agent.dependencies.runtime.stop_container(container_id, 0)
        except PodwrightError as failure:
            self._reporter.warning(f"container {container_id} cannot be killed: {failure}")
