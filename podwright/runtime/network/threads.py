"""Runs blocking kernel calls off the event loop, each in a new thread.

Netlink calls wait for the kernel's RTNL lock (20 ms while a link is deleted), which would block a shared pool. setns
changes a thread for good, which would spoil it. A thread costs 0.02 ms. `threading.Thread` costs five times as much,
because its `start` waits until the thread has the interpreter.
"""

from __future__ import annotations

import _thread
import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_fresh_thread(work: Callable[[], Result]) -> Result:
    """Run `work` in a new thread and return its result or raise its exception.

    `work` needs deadlines of its own. A cancelled caller waits for its end, so that an undo does not race it.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def target() -> None:
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 # handed to the caller, whatever it is
            _tell(loop, outcome.set_exception, failure)
        else:
            _tell(loop, outcome.set_result, result)

    _thread.start_new_thread(target, ())
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        await asyncio.wait([outcome])
        outcome.exception()  # read, so that asyncio does not report it
        raise


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[Result], None], value: Result) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, value)
