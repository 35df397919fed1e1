"""The pod worker: look, decide, act, wait; until the pod has ended or a stop is asked for.

One worker owns one pod at one CRI server. Decisions are `pods.actions`, calls are `orchestration.runtime`. Unlike the
kubelet it gives up when an image or a start fails, since somebody waits for an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from podwright.agent.run.reporter import ContainerChange, Reporter
from podwright.agent.run.stop import StopRequest, StopRequested
from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.failure import ContainerStartFailure
from podwright.agent.seed.orchestration.images import Images
from podwright.agent.seed.orchestration.observe import Observer
from podwright.agent.seed.orchestration.runtime import PodRuntime
from podwright.agent.seed.pods.actions import PodActions, compute_pod_actions
from podwright.agent.seed.pods.backoff import Backoff
from podwright.agent.seed.pods.changes import changes
from podwright.agent.seed.pods.outcome import FailedContainer, failures, is_pod_running
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus
from podwright.agent.seed.tails import LogTails
from podwright.agent.seed.termination import Termination
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unavailable

POLL_FIRST_S = 0.02
POLL_BUSY_S = 0.2
POLL_IDLE_S = 1.0
POLL_GROWTH = 1.6
# As long as the kubelet waits for a silent runtime before it calls it down.
RUNTIME_SILENCE_S = 30.0
SANDBOX_LOSS_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodResult:
    """How a worker's life ended. `stopped` means on request; `failed` are those to blame."""

    stopped: bool
    failed: tuple[FailedContainer, ...]
    detached: bool = False


class PodWorker:
    """See the module's text."""

    def __init__(
        self, context: PodContext, runtime: PodRuntime, images: Images, observer: Observer, reporter: Reporter
    ) -> None:
        self._context = context
        self._pod = context.pod
        self._runtime = runtime
        self._images = images
        self._observer = observer
        self._reporter = reporter
        self._tails = LogTails(context.log_directory, reporter.log)
        self._status = PodStatus()
        self._looking = asyncio.Lock()
        self._backoff = Backoff()
        self._told_waiting: set[tuple[str, int]] = set()
        self._running_told = False
        self._pause_s = POLL_FIRST_S
        self._silent_since: float | None = None

    async def run(self, stop: StopRequest, *, detach: bool = False) -> PodResult:
        """Run the pod to its end, to a stop, or (detach) until all of it has started. Raises PodwrightError.

        On a normal return everything of the pod has been stopped, unless it was detached.
        """
        self._reporter.pod(self._pod.full_name, "Pending")
        try:
            while not stop.graceful.is_set():
                status = await self._look_patiently(stop)
                if detach and is_pod_running(self._pod, status):
                    return PodResult(stopped=False, failed=failures(self._pod, status), detached=True)
                actions = compute_pod_actions(self._pod, status)
                if actions.ended:
                    return await self._end(failures(self._pod, status), stop)
                try:
                    await stop.unless_forced(self._act(actions, status, stop))
                except ContainerStartFailure as failure:
                    if not await self._sandbox_was_lost(failure, stop):
                        raise
                await stop.pause(self._pause_s)
        except StopRequested:
            pass
        except ContainerStartFailure as failure:
            blamed = FailedContainer(name=failure.container, reason=failure.reason, message=failure.detail)
            return await self._end((blamed,), stop)
        return await self._stop(stop)

    async def close(self) -> None:
        """Stop following logs."""
        await self._tails.close()

    async def _sandbox_was_lost(self, failure: ContainerStartFailure, stop: StopRequest) -> bool:
        """Whether a restart failed because the sandbox is going away, which the runtime shows a moment later."""
        if self._status.newest(failure.container) is None:
            return False
        deadline = time.monotonic() + SANDBOX_LOSS_S
        while time.monotonic() < deadline:
            status = await self._look()
            if not any(sandbox.ready for sandbox in status.sandboxes):
                return True
            if await stop.pause(POLL_BUSY_S):
                break
        return False

    async def _look_patiently(self, stop: StopRequest) -> PodStatus:
        """Look until the runtime answers; a daemon may be restarted under us. Raises Unavailable in the end."""
        deadline, told = time.monotonic() + RUNTIME_SILENCE_S, False
        while True:
            try:
                return await self._look()
            except (Unavailable, DeadlineExceeded) as silence:
                if time.monotonic() > deadline:
                    raise
                if not told:
                    self._reporter.warning(f"the runtime does not answer: {silence.message}")
                    told = True
            if await stop.pause(POLL_BUSY_S):
                raise StopRequested

    async def _look(self) -> PodStatus:
        """The pod now; what is new is told, after the log lines that belong before it."""
        async with self._looking:
            before, self._status = self._status, await self._observer.observe()
            for record, change in changes(self._pod, before, self._status):
                if change.phase == "exited":
                    await self._tails.finish(record.name, record.attempt)
                self._reporter.container(change)
                if change.phase == "running":
                    self._tails.follow(record.name, record.attempt)
            if not self._running_told and is_pod_running(self._pod, self._status):
                self._running_told = True
                self._reporter.pod(self._pod.full_name, "Running")
            return self._status

    async def _act(self, actions: PodActions, status: PodStatus, stop: StopRequest) -> None:
        """Carry out one decision and choose when to look again."""
        acted = False
        try:
            if actions.kill_pod:
                self._reporter.warning(f"pod {self._pod.full_name}: the sandbox was lost, making another")
                await self._kill(status, stop)
            sandbox = (actions.sandbox_id, actions.attempt)
            if actions.create_sandbox:
                sandbox = (await self._create_sandbox(actions.attempt), actions.attempt)
                acted = True
            for record in actions.kill:
                await self._termination(stop).stop_one(record, self._grace_s)
            for name in actions.start:
                container = self._pod.find_container(name)
                if container is not None and not stop.graceful.is_set():
                    acted |= await self._start(container, status, sandbox, stop)
            self._silent_since = None
        except (Unavailable, DeadlineExceeded) as silence:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > RUNTIME_SILENCE_S:
                raise
            self._reporter.warning(f"the runtime does not answer, trying again: {silence.message}")
            acted = False
        self._pause_s = POLL_FIRST_S if acted else min(self._pause_s * POLL_GROWTH, self._longest_pause_s())

    async def _create_sandbox(self, attempt: int) -> str:
        try:
            return await self._runtime.create_sandbox(attempt)
        except (Unavailable, DeadlineExceeded):
            raise
        except PodwrightError as failure:
            message = f"pod {self._pod.full_name}: the sandbox cannot be made: {failure}"
            raise FailedPrecondition(message) from failure

    def _longest_pause_s(self) -> float:
        """Short while something is expected to change by itself."""
        settled = self._running_told and self._pod.spec.restart_policy == "Always"
        return POLL_IDLE_S if settled else POLL_BUSY_S

    @property
    def _grace_s(self) -> float:
        return float(self._pod.spec.termination_grace_period_seconds)

    async def _start(
        self, container: Container, status: PodStatus, sandbox: tuple[str, int], stop: StopRequest
    ) -> bool:
        """Start one instance; False while it has to wait. Raises ContainerStartFailure, StopRequested."""
        newest = status.newest(container.name)
        attempt = 0 if newest is None else newest.attempt + 1
        if newest is not None and newest.state == "exited" and self._must_wait(newest):
            return False
        config = self._runtime.sandbox_config(sandbox[1])
        image = await stop.interruptible(self._images.ensure(container, config))
        container_id = await self._runtime.start(container, image, sandbox=sandbox, attempt=attempt)
        await self._look()
        await self._forget_old(container.name, status)
        hook = container.lifecycle.post_start
        if hook is not None:
            try:
                await stop.interruptible(self._runtime.run_hook(container_id, hook, self._grace_s or 1))
            except PodwrightError as failure:
                self._reporter.warning(f"container {container.name}: postStart: {failure}")
                await self._runtime.stop_container(container_id, int(self._grace_s))
        return True

    def _must_wait(self, ended: ContainerRecord) -> bool:
        """The crash-loop back-off, told once for each instance."""
        finished_s, now_s = ended.finished_at_ns / 1e9, time.time()
        wait_s = self._backoff.wait_s(ended.name, finished_s, now_s)
        if wait_s <= 0:
            self._backoff = self._backoff.next(ended.name, finished_s, now_s)
            return False
        if (ended.name, ended.attempt) not in self._told_waiting:
            self._told_waiting.add((ended.name, ended.attempt))
            self._reporter.container(
                ContainerChange(
                    container=ended.name,
                    phase="waiting",
                    attempt=ended.attempt,
                    init=self._pod.is_init(ended.name),
                    reason="CrashLoopBackOff",
                    message=f"back-off {wait_s:.0f} s before the next start",
                )
            )
        return True

    async def _forget_old(self, name: str, status: PodStatus) -> None:
        """Keep the newest dead instance of a container; its logs and code are what people ask for."""
        dead = [record for record in status.containers if record.name == name and record.state == "exited"]
        for record in dead[1:]:
            await self._runtime.remove_container(record)

    def _termination(self, stop: StopRequest) -> Termination:
        return Termination(self._runtime, self._pod, self._reporter, stop.forced)

    async def _kill(self, status: PodStatus, stop: StopRequest) -> None:
        async with self._telling():
            await self._termination(stop).stop_containers(status, self._grace_s)
        await self._runtime.stop_sandboxes(status)

    async def _end(self, failed: tuple[FailedContainer, ...], stop: StopRequest) -> PodResult:
        """The pod has come to its end by itself; sidecars may still run."""
        await self._kill(await self._look(), stop)
        await self._look()
        self._reporter.pod(self._pod.full_name, "Failed" if failed else "Succeeded")
        return PodResult(stopped=False, failed=failed)

    async def _stop(self, stop: StopRequest) -> PodResult:
        """Asked to stop: what had failed before counts, how the rest ends does not."""
        status = await self._look()
        failed = failures(self._pod, status)
        self._reporter.pod(self._pod.full_name, "Stopping")
        live = {record.id for record in status.running()}
        await self._kill(status, stop)
        ended = await self._look()
        for record in ended.containers:
            if record.id in live and record.exit_code == 137 and not stop.forced.is_set():
                grace = f"{self._grace_s:g} s"
                self._reporter.warning(f"container {record.name} did not end within {grace} and was killed")
        self._reporter.pod(self._pod.full_name, "Stopped")
        return PodResult(stopped=True, failed=failed)

    @contextlib.asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Look and tell in the background while something else is awaited."""
        done = StopRequest()

        async def look_on() -> None:
            while not await done.pause(POLL_BUSY_S / 2):
                with contextlib.suppress(PodwrightError):
                    await self._look()

        task = asyncio.create_task(look_on(), name="look during a stop")
        try:
            yield
        finally:
            done.ask()  # not cancelled: a look that is cut off would lose what it has seen
            await task
