"""A runtime in a storm: its calls are refused, hang, answer late or get lost, and it restarts.

What a call does is the runtime's own: it goes on when the caller gives up, and when the agent is killed.
"""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.pods.identity import POD_UID
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, CriSandboxState, RuntimeEvent
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, DeadlineExceeded, FailedPrecondition, PodwrightError, Unavailable
from tests.agent.fakes.runtime import FakeRuntime

DEADLINE_S = 120.0
OVERDUE_S = 25.0
MOMENT_S = 4.0


class Fate(enum.Enum):
    """What becomes of a call."""

    REFUSED = "refused"  # nothing happens, and the caller learns of it
    SLOW = "slow"  # it happens after a moment
    LATE = "late"  # it happens, and the answer takes a moment
    LOST = "lost"  # it happens, and the answer says that it did not
    HANGS = "hangs"  # nothing happens until the deadline
    OVERDUE = "overdue"  # the caller's deadline passes, and it happens afterwards


class EventFate(enum.Enum):
    """What becomes of an event."""

    LOST = "lost"
    TWICE = "twice"
    LATE = "late"


class StormyRuntime(FakeRuntime):
    """See the module's text. `before` is called with the name of each call that changes something, and its subject."""

    def __init__(self, clock: Clock, *, sends_pods: bool) -> None:
        super().__init__(clock, sends_pods=sends_pods)
        self.fates: dict[str, list[Fate]] = defaultdict(list)
        self.event_fates: list[EventFate] = []
        self.before: Callable[[str, str, Any], None] = lambda method, uid, subject: None
        self.is_down = False
        self.kill_in: int | None = None  # calls until the agent is killed
        self.kill_after = False  # whether the last call still happens
        self.killed = asyncio.Event()
        self._jobs: set[asyncio.Task[Any]] = set()
        self._reserved: set[tuple[str, int]] = set()
        self.asked_at: dict[str, float] = {}  # when each container was asked for, on the monotonic clock

    # -- what the storm does

    def all_containers(self) -> list[CriContainerStatus]:
        """Everything that is listed, of all pods."""
        return [each.status for each in self._containers.values()]

    def uid_of(self, container_id: str) -> str:
        """Whose container it is."""
        each = self._containers.get(container_id)
        return each.status.labels[POD_UID] if each is not None else ""

    def pods(self) -> set[str]:
        """The UIDs of which something is there."""
        return {sandbox.pod_uid for sandbox in self._sandboxes.values()} | {
            status.labels[POD_UID] for status in self.all_containers()
        }

    def ready_sandboxes(self, uid: str) -> list[str]:
        """The sandboxes of a pod that are READY."""
        return [
            each.id for each in self._sandboxes.values() if each.pod_uid == uid and each.state is CriSandboxState.READY
        ]

    def die(self, container_id: str, exit_code: int) -> None:
        """A container ends by itself."""
        self._end(self._containers[container_id], exit_code, "")

    def forget(self, container_id: str) -> None:
        """Somebody removes a container behind the agent's back."""
        each = self._containers[container_id]
        self._end(each, 137, "Error")
        del self._containers[container_id]

    async def stop(self) -> None:
        """The runtime dies: streams end, calls under way come to nothing, containers run on."""
        self.is_down = True
        self.end_streams()
        for job in list(self._jobs):
            job.cancel()
        self._reserved.clear()
        await asyncio.sleep(0)

    def start(self, *, with_state: bool) -> None:
        """It comes back. Without its state nothing is left of any pod."""
        self.is_down = False
        if not with_state:
            for each in self._containers.values():
                if each.life is not None:
                    each.life.cancel()
            self._containers.clear()
            self._sandboxes.clear()

    def calm(self) -> None:
        """No more storm."""
        self.fates.clear()
        self.event_fates.clear()
        self.kill_in = None

    # -- calls

    async def serve(self, method: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """One call."""
        try:
            return await self._serve(method, args, keywords)
        except PodwrightError:
            if method == "exec_sync":
                self.before("hook_fails", self.uid_of(args[0]), None)
            raise

    async def _serve(self, method: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if self.is_down:
            await asyncio.sleep(0.01)
            raise Unavailable("the runtime is down")
        fate = self.fates[method].pop(0) if self.fates[method] else None
        match fate:
            case Fate.REFUSED:
                raise Unavailable(f"{method} is refused")
            case Fate.HANGS:
                await asyncio.sleep(DEADLINE_S)
                raise DeadlineExceeded(f"{method} takes too long")
            case Fate.OVERDUE:
                self._start(method, args, keywords, after_s=DEADLINE_S + OVERDUE_S)
                await asyncio.sleep(DEADLINE_S)
                raise DeadlineExceeded(f"{method} takes too long")
        job = self._start(method, args, keywords, after_s=MOMENT_S if fate is Fate.SLOW else 0.0)
        try:
            answer = await asyncio.shield(job)
        except asyncio.CancelledError:
            if not job.cancelled():
                raise
            raise Unavailable("the runtime has died") from None
        if fate is Fate.LATE:
            await asyncio.sleep(MOMENT_S)
        if fate is Fate.LOST:
            raise Unavailable(f"the answer of {method} is lost")
        return answer

    def _start(
        self, method: str, args: tuple[Any, ...], keywords: dict[str, Any], after_s: float
    ) -> asyncio.Task[Any]:
        async def job() -> Any:
            if after_s:
                await asyncio.sleep(after_s)
            return await getattr(self, method)(*args, **keywords)

        task = asyncio.create_task(job(), name=f"runtime: {method}")
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    # -- what is asked for, as it happens

    async def run_sandbox(self, config: api.PodSandboxConfig, handler: str) -> str:
        """As runtimes do: a name is reserved from the call on, for as long as the sandbox exists."""
        uid, attempt = config.metadata.uid, config.metadata.attempt
        taken = {(each.pod_uid, each.attempt) for each in self._sandboxes.values()}
        if (uid, attempt) in self._reserved | taken:
            raise AlreadyExists(f"sandbox {uid} attempt {attempt} is reserved")
        self._reserved.add((uid, attempt))
        try:
            await asyncio.sleep(0.02)
            self.before("run_sandbox", uid, config)
            return await super().run_sandbox(config, handler)
        finally:
            self._reserved.discard((uid, attempt))

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        asked_at = self.clock.monotonic()
        await asyncio.sleep(0.01)
        self.before("create_container", sandbox_config.metadata.uid, config)
        made = await super().create_container(sandbox_id, config, sandbox_config)
        self.asked_at[made] = asked_at
        return made

    async def start_container(self, container_id: str) -> None:
        await asyncio.sleep(0.01)
        self.before("start_container", self.uid_of(container_id), container_id)
        sandbox_id = self._container(container_id).status.sandbox_id
        if self._sandbox(sandbox_id).state is not CriSandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox_id} is not ready")
        await super().start_container(container_id)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        self.before("stop_container", self.uid_of(container_id), (container_id, grace_s))
        await super().stop_container(container_id, grace_s)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id in self._sandboxes:
            self.before("stop_sandbox", self._sandboxes[sandbox_id].pod_uid, sandbox_id)
        await super().stop_sandbox(sandbox_id)

    def touch(self, uid: str) -> list[CriContainerStatus]:
        """The containers of a pod that run."""
        return [
            status
            for status in self.all_containers()
            if status.labels[POD_UID] == uid and status.state is CriContainerState.RUNNING
        ]


class Line:
    """One agent's connection to the runtime: the `CriRuntime` and `CriImages` of one life.

    When the agent is killed the line is cut, and nothing that its tasks still do has an effect.
    """

    def __init__(self, runtime: StormyRuntime) -> None:
        self._runtime = runtime
        self.is_cut = False

    def cut(self) -> None:
        """The agent is killed."""
        self.is_cut = True

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def call(*args: Any, **keywords: Any) -> Any:
            self._check()
            self._countdown(before=True)
            answer = await self._runtime.serve(method, args, keywords)
            self._countdown(before=False)
            self._check()
            return answer

        return call

    def _countdown(self, *, before: bool) -> None:
        storm = self._runtime
        if storm.kill_in is None or before is storm.kill_after:
            return
        storm.kill_in -= 1
        if storm.kill_in < 0:
            storm.kill_in = None
            self.cut()
            storm.killed.set()
            self._check()

    def _check(self) -> None:
        if self.is_cut:
            raise asyncio.CancelledError

    async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        """The stream; the storm plays with its messages."""
        storm = self._runtime
        self._check()
        if storm.is_down:
            raise Unavailable("the runtime is down")
        async for event in storm.events(begun):
            self._check()
            fate = storm.event_fates.pop(0) if storm.event_fates else None
            if fate is EventFate.LOST:
                continue
            if fate is EventFate.LATE:
                await asyncio.sleep(MOMENT_S)
            yield event
            if fate is EventFate.TWICE:
                yield replace(event)
