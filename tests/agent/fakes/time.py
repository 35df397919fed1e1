"""Virtual time: sleeps and timeouts take none of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

import looptime

Result = TypeVar("Result")

START_NS = 1_700_000_000 * 10**9
STEP_S = 1e-7  # no two readings are equal, so that "before" and "after" always mean something


class VirtualClock:
    """The event loop's time, and the epoch's beside it. `jump_s` moves the wall clock alone."""

    def __init__(self) -> None:
        self.jump_s = 0.0
        self._readings = 0

    def monotonic(self) -> float:
        """See Clock."""
        self._readings += 1
        return asyncio.get_running_loop().time() + self._readings * STEP_S

    def now_ns(self) -> int:
        """See Clock."""
        return START_NS + int((self.monotonic() + self.jump_s) * 1e9)


class AtOnce(asyncio.AbstractEventLoop):
    """A loop, mixed in, whose work for threads is done at once: how long a thread takes is the machine's time."""

    def run_in_executor(  # type: ignore[override] # the future is done at once
        self, executor: Executor | None, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        """See AbstractEventLoop."""
        future: asyncio.Future[Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as failure:  # noqa: BLE001 # the caller's to judge
            future.set_exception(failure)
        return future


class _Loop(AtOnce, looptime.LoopTimeEventLoop, asyncio.SelectorEventLoop):  # type: ignore[misc] # untyped, in part
    pass


def run_virtual(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a loop of virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
