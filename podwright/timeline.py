"""What took how long: the steps of the calls served of late, and of those under way. In memory, and bounded.

So "why did this pod take 400 ms" has an answer, and "what does it wait for" too. Steps nest by themselves: what is
begun within a step, by its task or by tasks and threads that it starts, belongs to it. Outside of a call a step costs
a microsecond and is not kept. Anybody may open steps; the gRPC edge opens the calls, and shows them to people.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

log = logging.getLogger(__name__)

KEPT_CALLS = 500
STEPS_LIMIT = 200  # directly within one; a pull of many layers has about as many
SLOW_NS = 20_000_000  # a call without steps is worth keeping from here on: lists are not
FAILURE_LIMIT = 300
LOOK_S = 10.0  # how often calls that take long are looked for

_current: contextvars.ContextVar[Step | None] = contextvars.ContextVar("step", default=None)


class Step:
    """Something that takes time, used as a context: `with Step("network"):`. Times are those of time.monotonic_ns."""

    __slots__ = ("_token", "began", "ended", "failure", "name", "steps")

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = 0
        self.ended = 0  # while it goes on
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
        """How long it took, or has taken so far."""
        return (self.ended or now) - self.began

    def under_way(self) -> list[str]:
        """Its name and those of the steps that it is in, the last of each: what it waits for."""
        names = [self.name]
        steps = self.steps
        while running := [step for step in steps if not step.ended]:
            names.append(running[-1].name)
            steps = running[-1].steps
        return names


class Call(Step):
    """A step that somebody asked for. `ids` are those of what it is about."""

    __slots__ = ("began_at", "ids")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.began_at = time.time_ns()  # since the epoch
        self.ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCall:
    """A call under way: what it waits for, as a path of steps."""

    step: str
    ids: tuple[str, ...]
    took_s: float


class Timeline:
    """The calls under way, and the last ones that took some time."""

    def __init__(self) -> None:
        self._running: dict[int, Call] = {}
        self._ended: deque[Call] = deque(maxlen=KEPT_CALLS)

    @contextlib.contextmanager
    def call(self, name: str) -> Iterator[Call]:
        """Serve one call within the context."""
        call = Call(name)
        self._running[id(call)] = call
        try:
            with call:
                yield call
        finally:
            del self._running[id(call)]
            if call.steps or call.ended - call.began >= SLOW_NS:
                self._ended.append(call)

    def calls(self, beginning: str = "") -> list[Call]:
        """Those under way and those kept, oldest first; given the beginning of an id, of that and what belongs to it.

        What belongs to it is known by calls that name both, as those that make a container name its sandbox.
        """
        calls = sorted((*self._ended, *self._running.values()), key=lambda call: call.began)
        if not beginning:
            return calls
        related: set[str] = set()
        for call in calls:
            if any(one in related or one.startswith(beginning) for one in call.ids):
                related.update(call.ids)
        return [call for call in calls if not related.isdisjoint(call.ids)]

    async def watch(self) -> None:
        """Log the calls that take long, and what they wait for; runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            for look in self.looks(LOOK_S):
                log.info("still under way: s=%.0f id=%s step=%s", look.took_s, ",".join(look.ids), look.step)

    def looks(self, least_s: float) -> list[WaitingCall]:
        """What has been under way for so long."""
        now = time.monotonic_ns()
        looks = (
            WaitingCall(step=" > ".join(call.under_way()), ids=call.ids, took_s=call.duration_ns(now) / 1e9)
            for call in self._running.values()
        )
        return [look for look in looks if look.took_s >= least_s]
