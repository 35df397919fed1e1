"""The part of a run with pods: it connects the agent, the reporter and the files.

`RunEngine` is the agent, assembled for this run. The session gives it the wanted pods, shows its reports, and decides
when the run is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

import msgspec
from msgspec import structs

from podwright.agent.clock import Clock
from podwright.agent.configs.ports import Services
from podwright.agent.events.log import RecordedEvent
from podwright.agent.objects.documents import DocumentObjects
from podwright.agent.run.control import Control, RunSnapshot
from podwright.agent.run.narrator import Narrator, full_name
from podwright.agent.run.notify import READY, STOPPING
from podwright.agent.run.outcome import Failure, failures, hopeless, restarting
from podwright.agent.run.plan import RunPlan
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import RunLog, RunPod, RunRecord
from podwright.agent.run.statuses import is_terminal
from podwright.agent.run.stop import StopRequest
from podwright.agent.sources.memory import MemorySource
from podwright.errors import Internal
from podwright.k8s.objects import Pod, PodStatus

HINT_AFTER_S = 2.0  # of waiting for pods that were asked to end
STOPPING_HINT = "waiting for the pods to end; Ctrl-C again kills them"
REMOVAL_HINT_AFTER_S = 10.0  # of waiting for what ended pods have left
REMOVAL_HINT = "still removing what the pods have left; Ctrl-C leaves the rest to podwright run --kube-down"
SETTLE_S = 10.0  # for the last lines of logs
KILL_S = 30.0  # for pods that are killed without a grace
DEFAULT_GRACE_S = 30


class RunEngine(Protocol):
    """The agent with the one source of this run."""

    async def run(self) -> None:
        """Sync the source's pods forever. If cancelled, the pods stay as they are."""

    def on_status(self, watcher: Callable[[str, PodStatus], None]) -> None:
        """Call `watcher` with a pod's UID and each new status."""

    def on_event(self, listener: Callable[[RecordedEvent], None]) -> None:
        """Call `listener` with each event."""

    def log_path(self, pod: Pod, container: str, attempt: int) -> str:
        """The path of the log of an instance."""

    async def gone(self, uids: Iterable[str]) -> None:
        """Wait until nothing is left of these pods: containers, sandboxes, volumes, files."""

    def kill(self, uids: Iterable[str]) -> None:
        """Kill the containers of these pods, which are being ended."""


class EngineInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine gets from its run. `is_own` returns whether the pod with a UID is the run's."""

    run_id: str
    source: MemorySource
    objects: DocumentObjects
    services: Services
    is_own: Callable[[str], bool]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `failures` are those before its pods were ended."""

    failures: tuple[Failure, ...]
    detached: bool = False


class SessionInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a session needs.

    `new_plans` yields the plans of files that have changed (`--watch`). `notify` is called with READY once everything
    is ready, and with STOPPING when the session ends the pods.
    """

    plan: RunPlan
    reporter: Reporter
    stop: StopRequest
    clock: Clock
    log: RunLog
    record: RunRecord
    make_engine: Callable[[EngineInputs], RunEngine]
    detach: bool = False
    new_plans: AsyncIterator[RunPlan] | None = None
    notify: Callable[[str], object] = lambda _: None


class Session:
    """One session. Belongs to the event loop's thread."""

    def __init__(self, inputs: SessionInputs) -> None:
        self._inputs = inputs
        self._record = inputs.record
        self._pods: dict[str, Pod] = {}
        self._look: RunSnapshot | None = None
        self._hopeless: list[Failure] = []
        self._changed = asyncio.Event()
        self._is_ending = False
        self._was_settled = False
        self._was_over = False
        source = MemorySource()
        self._source = source
        self._objects = DocumentObjects(inputs.plan.config_maps, inputs.plan.secrets)
        self._control = Control(inputs.plan, source, inputs.clock, self._note_look)
        self._engine = inputs.make_engine(
            EngineInputs(
                run_id=inputs.record.run_id,
                source=source,
                objects=self._objects,
                services=self._control,
                is_own=self._pods.__contains__,
            )
        )
        self._narrator = Narrator(inputs.reporter, self._engine.log_path, name_pods=self._has_several)
        self._engine.on_status(self._note_status)
        self._engine.on_event(self._note_event)

    async def run(self) -> RunResult:
        """Run until the end, a stop, or (detach) until everything is ready. Raises PodwrightError.

        After a normal return nothing is left of the pods, unless they were detached.
        """
        self._control.refresh()
        narrator = asyncio.create_task(self._narrator.run(), name="narrator")
        engine = asyncio.create_task(self._engine.run(), name="engine")
        watcher = asyncio.create_task(self._follow_files(), name="watch")
        is_gone = False
        try:
            await self._until_over(engine)
            found = (*self._failures(), *self._restarting())
            if self._inputs.detach and not found and not self._inputs.stop.graceful.is_set():
                return self._detached()
            await self._narrator.settle(SETTLE_S)  # pods' logs are removed with the pods
            is_gone = await self._end(engine)
            return RunResult(failures=found)
        finally:
            self._control.close()
            for task in (watcher, engine):
                task.cancel()
            await asyncio.wait((watcher, engine))
            await self._narrator.settle(SETTLE_S)
            narrator.cancel()
            await asyncio.wait((narrator,))
            await self._narrator.close()
            if is_gone:
                self._inputs.log.remove()

    # -- what is reported

    def _has_several(self) -> bool:
        return self._look is not None and len(self._look.pods) > 1

    def _note_look(self, look: RunSnapshot) -> None:
        self._look = look
        new = [pod for pod in look.pods if pod.metadata.uid not in self._pods]
        for pod in new:
            self._pods[pod.metadata.uid] = pod
            self._narrator.add(pod)
        if new:
            made = tuple(_run_pod(pod, look.owners[pod.metadata.uid]) for pod in new)
            self._record = structs.replace(self._record, pods=(*self._record.pods, *made))
            self._inputs.log.write(self._record)
        if self._inputs.new_plans is not None and look.is_over and not self._was_over:
            self._tell_version_is_over()
        self._was_over = look.is_over
        if look.is_settled and not self._was_settled:
            self._was_settled = True
            self._inputs.notify(READY)
        self._changed.set()

    def _tell_version_is_over(self) -> None:
        for failure in self._failures():
            self._inputs.reporter.error(str(failure))
        self._inputs.reporter.info("waiting for the files to change")

    def _note_status(self, uid: str, status: PodStatus) -> None:
        self._narrator.note_status(uid, status)
        if not self._is_ending:
            self._control.note(uid, status)

    def _note_event(self, event: RecordedEvent) -> None:
        self._narrator.note_event(event)
        if event.subject.uid in self._pods and (failure := hopeless(event)) is not None:
            self._hopeless.append(failure)
            self._changed.set()

    # -- the course

    async def _until_over(self, engine: asyncio.Task[None]) -> None:
        """Wait until the run is over, settled (detach), hopeless, or must stop."""
        asked = asyncio.create_task(self._inputs.stop.graceful.wait(), name="Ctrl-C")
        try:
            while not asked.done() and not self._is_over():
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait(), name="a change of a pod")
                await asyncio.wait((asked, changed, engine), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if engine.done():
                    await engine
                    raise Internal("the agent of the run has ended by itself")
        finally:
            asked.cancel()

    def _is_over(self) -> bool:
        look = self._look
        if self._inputs.new_plans is not None or look is None:
            return False  # a later version of the files may succeed
        return bool(look.is_over or self._failures() or (self._inputs.detach and look.is_settled))

    def _failures(self) -> tuple[Failure, ...]:
        if self._look is None:
            return ()
        return (*failures(self._look, self._known_statuses()), *self._hopeless)

    def _restarting(self) -> tuple[Failure, ...]:
        """Failures that were to be retried, for a run that is stopped."""
        if self._look is None or not self._inputs.stop.graceful.is_set():
            return ()
        return restarting(self._look, self._known_statuses())

    def _known_statuses(self) -> dict[str, PodStatus]:
        return {uid: status for uid in self._pods if (status := self._control.status_of(uid)) is not None}

    async def _follow_files(self) -> None:
        """Take over each new version of the files."""
        if self._inputs.new_plans is None:
            return
        async for plan in self._inputs.new_plans:
            self._inputs.reporter.info("the files have changed")
            self._hopeless.clear()
            self._objects.set(plan.config_maps, plan.secrets)
            self._control.replace(plan)

    # -- the end

    def _detached(self) -> RunResult:
        self._inputs.log.write(structs.replace(self._record, detached=True))
        for pod in self._pods.values():
            self._inputs.reporter.pod(full_name(pod), "Detached", pod.metadata.uid)
        if any(pod.spec.restart_policy != "Never" for pod in self._pods.values()):
            self._inputs.reporter.warning("nobody restarts the containers of detached pods")
        return RunResult(failures=(), detached=True)

    async def _end(self, engine: asyncio.Task[None]) -> bool:
        """End all pods. A second request to stop kills them, or the first one if the run is over by itself.

        Returns whether nothing is left of them.
        """
        self._is_ending = True
        stop = self._inputs.stop
        last_request = stop.forced if stop.graceful.is_set() else stop.graceful
        self._inputs.notify(STOPPING)
        self._control.close()
        stopping = self._living() if stop.graceful.is_set() else []
        if stopping:
            self._narrator.note_stop()
        for pod in stopping:
            self._inputs.reporter.pod(full_name(pod), "Stopping")
        self._source.set(())
        gone = asyncio.create_task(self._engine.gone(list(self._pods)), name="pods end")
        forced = asyncio.create_task(last_request.wait(), name="last Ctrl-C")
        try:
            hint_after_s = HINT_AFTER_S if stopping else REMOVAL_HINT_AFTER_S
            done, _ = await asyncio.wait(
                (gone, forced, engine), timeout=hint_after_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._inputs.reporter.info(STOPPING_HINT if stopping else REMOVAL_HINT)
            await asyncio.wait((gone, forced, engine), return_when=asyncio.FIRST_COMPLETED)
            if not gone.done() and not engine.done():
                self._engine.kill(list(self._pods))
                await asyncio.wait((gone, engine), timeout=KILL_S, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                await gone
                await self._narrator.settle(SETTLE_S)
                for pod in stopping:
                    self._inputs.reporter.pod(full_name(pod), "Stopped")
                return True
            self._inputs.reporter.warning("could not clean up everything: podwright run --kube-down ends the rest")
        finally:
            for task in (gone, forced):
                task.cancel()
            await asyncio.wait((gone, forced))
        return False

    def _living(self) -> list[Pod]:
        """The pods that have started, and not ended by themselves."""
        statuses = ((pod, self._control.status_of(uid)) for uid, pod in self._pods.items())
        return [pod for pod, status in statuses if status is not None and not is_terminal(status)]


def _run_pod(pod: Pod, owner: str) -> RunPod:
    metadata, grace_s = pod.metadata, pod.spec.termination_grace_period_seconds
    return RunPod(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        owner=owner,
        grace_s=DEFAULT_GRACE_S if grace_s is None else grace_s,
    )
