"""Where the time goes: the steps of recent calls and of calls in progress. Kept in memory, with a limit.

It answers "why did this pod take 400 ms" and "what does it wait for". Steps nest automatically: a step belongs to the
step in which its task, or the tasks and threads that started it, began. Outside of a call a step costs a microsecond
and is not kept. Any room may open steps. The gRPC edge opens the calls and shows them to clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import msgspec

log = logging.getLogger(__name__)

KEPT_CALLS = 500
STEPS_LIMIT = 200  # directly inside one step; a pull of many layers needs about this many
SLOW_NS = 20_000_000  # a shorter call without steps, such as a list, is not kept
FAILURE_LIMIT = 300
LOOK_S = 10.0  # interval of the check for slow calls

_current: contextvars.ContextVar[Step | None] = contextvars.ContextVar("step", default=None)


class Step:
    """Something that takes time, used as a context: `with Step("network"):`. Times are those of time.monotonic_ns."""

    __slots__ = ("_token", "began", "ended", "failure", "name", "steps")

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = 0
        self.ended = 0  # 0: in progress
        self.failure = ""
        self.steps: list[Step] = []

    def __enter__(self) -> Step:
        parent = _current.get()
        if parent is not None and not parent.ended and len(parent.steps) < STEPS_LIMIT:
            parent.steps.append(self)
        self._token = _current.set(self)
        self.began = time.monotonic_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ended = time.monotonic_ns()
        if kind is not None:
            self.failure = (str(failure) or kind.__name__)[:FAILURE_LIMIT]
        _current.reset(self._token)

    def duration_ns(self, now: int) -> int:
        """The duration in nanoseconds, so far if the step has not ended."""
        return (self.ended or now) - self.began

    def under_way(self) -> list[str]:
        """The path of names to the innermost step in progress: what this step waits for."""
        names = [self.name]
        steps = self.steps
        while running := [step for step in steps if not step.ended]:
            names.append(running[-1].name)
            steps = running[-1].steps
        return names


class Call(Step):
    """A step that a client requested.

    `ids` are the ids of the objects concerned. `name_path` is the name of a pod or container that the call makes:
    `namespace/pod`, or `namespace/pod/container`.
    """

    __slots__ = ("began_at", "ids", "name_path")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.began_at = time.time_ns()  # since the epoch
        self.ids: tuple[str, ...] = ()
        self.name_path = ""

    def is_about(self, word: str) -> bool:
        """Whether an id begins with `word`, or the name is `word`. A name may lack its namespace, or also its pod."""
        return f"/{self.name_path}".endswith(f"/{word}") or any(one.startswith(word) for one in self.ids)


class WaitingCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in progress, with the path of steps that it waits for."""

    step: str
    ids: tuple[str, ...]
    took_s: float


class Timeline:
    """The calls in progress, and recent calls that were slow."""

    def __init__(self) -> None:
        self._running: dict[int, Call] = {}
        self._ended: deque[Call] = deque(maxlen=KEPT_CALLS)

    @contextlib.contextmanager
    def call(self, name: str) -> Iterator[Call]:
        """Record a call for the time of the context."""
        call = Call(name)
        self._running[id(call)] = call
        try:
            with call:
                yield call
        finally:
            del self._running[id(call)]
            if call.steps or call.ended - call.began >= SLOW_NS:
                self._ended.append(call)

    def calls(self, about: str = "") -> list[Call]:
        """Calls in progress and recent ones, oldest first. With a name or the beginning of an id: those about it.

        Calls about objects that belong to it are included. A call that names two ids connects them, as
        CreateContainer does with a container and its sandbox. Several pods, one after the other, may have one name.
        """
        calls = sorted((*self._ended, *self._running.values()), key=lambda call: call.began)
        if not about:
            return calls
        meant = {id(call) for call in calls if call.is_about(about)}
        related: set[str] = set()
        for call in calls:
            if id(call) in meant or not related.isdisjoint(call.ids):
                related.update(call.ids)
        return [call for call in calls if id(call) in meant or not related.isdisjoint(call.ids)]

    async def watch(self) -> None:
        """Log slow calls and what they wait for, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            for look in self.looks(LOOK_S):
                log.info("call in progress: s=%.0f id=%s step=%s", look.took_s, ",".join(look.ids), look.step)

    def looks(self, least_s: float) -> list[WaitingCall]:
        """Calls that have run for at least `least_s`."""
        now = time.monotonic_ns()
        looks = (
            WaitingCall(step=" > ".join(call.under_way()), ids=call.ids, took_s=call.duration_ns(now) / 1e9)
            for call in self._running.values()
        )
        return [look for look in looks if look.took_s >= least_s]
