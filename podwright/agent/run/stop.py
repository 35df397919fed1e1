"""Requests to stop a run: the first one is graceful, the second one immediate. Made by signals or by a caller."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from podwright.tasks import task_of

Result = TypeVar("Result")


class StopRequested(Exception):
    """Raised by `interruptible` instead of finishing the work."""


class StopRequest:
    """`graceful` is set by the first request, `forced` by the second."""

    def __init__(self) -> None:
        self.graceful = asyncio.Event()
        self.forced = asyncio.Event()

    def ask(self) -> None:
        """Request a stop."""
        if self.graceful.is_set():
            self.forced.set()
        self.graceful.set()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM request a stop during the block."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.ask)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def pause(self, seconds: float) -> bool:
        """Wait that long, or until a stop is requested. Returns whether one is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.graceful.wait()
        return self.graceful.is_set()

    async def interruptible(self, work: Awaitable[Result]) -> Result:
        """The result of `work`. A request to stop cancels it, and raises StopRequested."""
        task = task_of(work, name="work until a stop")
        asked = asyncio.create_task(self.graceful.wait(), name="a request to stop")
        try:
            await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise StopRequested
        finally:
            for pending in (task, asked):
                if not pending.done():
                    pending.cancel()
            await asyncio.gather(task, asked, return_exceptions=True)
