"""Runs the blocking calls of volumes, in threads of their own.

A file system that does not answer (a hostPath on a dead network file system) holds its thread forever, and nothing can
end it. So these are not the threads of `asyncio.to_thread`, which others need, and the process does not wait for them
at its end. A caller that gave up a call can still find out when it has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from podwright.tasks import retrieve

Result = TypeVar("Result")

THREADS_MAX = 32
IDLE_S = 30.0


class Work(Protocol):
    """Runs blocking functions. `key` names what a call is about."""

    async def run(self, key: str, function: Callable[[], Result]) -> Result:
        """Run the function. Returns or raises what it does. Cancelling the caller does not stop the function."""

    async def settled(self, key: str) -> None:
        """Wait until no function of this key runs."""


class Threads:
    """See Work. At most THREADS_MAX functions run at once. The others wait."""

    def __init__(self) -> None:
        self._executor = _DaemonThreads()
        self._free = asyncio.Semaphore(THREADS_MAX)
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.Event] = {}

    async def run(self, key: str, function: Callable[[], Result]) -> Result:
        await self._free.acquire()
        self._running[key] += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, function)
        future.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(future)

    async def settled(self, key: str) -> None:
        while self._running[key]:
            await self._waiting.setdefault(key, asyncio.Event()).wait()
        del self._running[key]

    def _ended(self, key: str, future: asyncio.Future[Any]) -> None:
        retrieve(future)
        self._free.release()
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
            if (waiting := self._waiting.pop(key, None)) is not None:
                waiting.set()


class _DaemonThreads(Executor):
    """A thread for each concurrent call. A thread that was idle for IDLE_S ends.

    Threads are reused, because the start of one blocks the event loop for up to a millisecond. A ThreadPoolExecutor
    would keep the process alive while one of its threads hangs.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as failure:  # noqa: BLE001 # the caller gets it
                future.set_exception(failure)
            else:
                future.set_result(result)

        self._calls.put(call)
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._work, name="volumes", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=IDLE_S)
            except Empty:
                if self._idle.acquire(blocking=False):
                    return
                continue  # a call counts on this thread
            call()
            del call  # and what it references
            self._idle.release()
