"""A fake server in a thread with an event loop of its own, for tests that wait and are not asyncio's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from podwright.conformance.patience import patient

CALL_TIMEOUT_S = patient(60)
Result = TypeVar("Result")
Served = TypeVar("Served")


class LoopThread(Generic[Served]):
    """Serves from the beginning of the block to its end. Subclasses say what."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._end()

    def start(self) -> None:
        """Start the server. Also again after `stop`."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the server: its connections break."""
        raise NotImplementedError

    def served(self) -> Served:
        """The server that runs in the thread."""
        raise NotImplementedError

    def call(self, work: Callable[[Served], Result]) -> Result:
        """Run `work` in the thread. Returns its result."""

        async def on_loop() -> Result:
            return work(self.served())

        return self._run(on_loop)

    def _run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run `work` on the thread's event loop. Returns its result."""

        async def run() -> Result:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(CALL_TIMEOUT_S)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
